//! `killfleet import everef`: what stands in the archives of EVE Ref is stored, and ESI is not asked for it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use serde_json::{Value, json};
use tar::{Builder, Header};

use crate::harness::{Fleet, On, TemporaryFolder, TrueKillmail, World, eventually, fleet, list, on_both};

on_both![
    what_an_archive_has_brought_is_not_asked_for,
    what_is_no_killmail_or_no_archive_is_told_and_the_rest_is_stored,
    stopped_in_the_middle_it_goes_on_from_there,
];

/// As EVE Ref writes a member.
fn member(killmail: &TrueKillmail) -> String {
    let added =
        format!(r#"{{"http_last_modified":"2026-11-01T00:00:00Z","killmail_hash":"{}","#, killmail.killmail_hash);
    killmail.body.get().replacen('{', &added, 1)
}

fn archive(members: &[(String, String)]) -> Vec<u8> {
    let mut tar = Builder::new(BzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in members {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn archive_of<'a>(killmails: impl IntoIterator<Item = &'a TrueKillmail>) -> Vec<u8> {
    let name = |killmail: &TrueKillmail| format!("killmails/{}.json", killmail.killmail_id);
    let members: Vec<_> = killmails.into_iter().map(|killmail| (name(killmail), member(killmail))).collect();
    archive(&members)
}

fn save(folder: &TemporaryFolder, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Runs the command on these files; its report.
async fn import(fleet: &Fleet<'_>, files: &[&Path], code: i32) -> Value {
    let files = files.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["import", "everef", "--json"].into_iter().chain(files).collect();
    let ended = fleet.killfleet(&arguments).run().await.with_code(code);
    assert_eq!(ended.stdout.len(), 1, "{ended:?}");
    serde_json::from_str(&ended.stdout[0]).unwrap()
}

fn counts(report: &Value) -> [u64; 5] {
    ["files", "killmails", "stored", "already_stored", "refused"].map(|name| report[name].as_u64().expect("a number"))
}

fn what_an_archive_has_brought_is_not_asked_for(on: On) {
    fleet(on, World::of(4, 20).with_real_killmails(), async |fleet: &Fleet| {
        let truth = fleet.simulator.truth().await;
        let killmails: Vec<&TrueKillmail> = truth.killmails.iter().collect();
        let (unknown, archived) = killmails.split_at(3);
        let (one_day, another) = archived.split_at(archived.len() / 2);
        let folder = TemporaryFolder::new();
        let one_day = save(&folder, "killmails-2026-11-01.tar.bz2", &archive_of(one_day.iter().copied()));
        let another = save(&folder, "killmails-2026-11-02.tar.bz2", &archive_of(another.iter().copied()));
        let all = archived.len() as u64;
        assert_eq!(counts(&import(fleet, &[&one_day, &another], 0).await), [2, all, all, 0, 0]);
        let before = fleet.database.contents().await;
        assert_eq!(counts(&import(fleet, &[&another, &one_day], 0).await), [2, all, 0, all, 0]);
        assert_eq!(fleet.database.contents().await, before, "what is there is left as it is");

        fleet.tick(&[]).await;
        fleet.drain().await;
        let asked_for = fleet.simulator.counters().await.detail_calls_by_killmail;
        let unknown: BTreeSet<i64> = unknown.iter().map(|killmail| killmail.killmail_id).collect();
        assert_eq!(asked_for.into_keys().collect::<BTreeSet<_>>(), unknown);

        // What lists have shown already, and nobody has fetched yet.
        let wanted: Vec<i64> = archived[..5].iter().map(|killmail| killmail.killmail_id).collect();
        let wanted = list(&wanted);
        fleet.database.execute(&format!("delete from killmail where killmail_id in {wanted}")).await;
        let want = format!("update killmail_ref set state = 'wanted', due_at = now() where killmail_id in {wanted}");
        fleet.database.execute(&want).await;
        assert_eq!(counts(&import(fleet, &[&one_day, &another], 0).await), [2, all, 5, all - 5, 0]);
        assert_eq!(fleet.tick(&[]).await.queued_detail_killmails, 0);
        fleet.drain().await;
        fleet.is_true().await;
    });
}

fn what_is_no_killmail_or_no_archive_is_told_and_the_rest_is_stored(on: On) {
    fleet(on, World::of(2, 12).nobody_signed_in(), async |fleet: &Fleet| {
        let truth = fleet.simulator.truth().await;
        let [first, second, third, rest @ ..] = &truth.killmails[..] else { panic!("there are twelve") };
        let of_another = member(second).replace(&second.killmail_hash, &first.killmail_hash);
        let members = [
            ("1.json".to_owned(), member(first)),
            ("2.json".to_owned(), of_another),
            ("3.json".to_owned(), third.body.get().to_owned()),
            ("4.json".to_owned(), r#"{"killmail_id":4,"#.to_owned()),
            ("5.json".to_owned(), " ".repeat(20 * 1024 * 1024)),
        ];
        let folder = TemporaryFolder::new();
        let some = save(&folder, "some.tar.bz2", &archive(&members));
        let packed = archive_of(rest);
        let cut_off = save(&folder, "cut-off.tar.bz2", &packed[..packed.len() - 7]);
        let page = save(&folder, "page.tar.bz2", b"<html>not found</html>");
        let good = save(&folder, "good.tar.bz2", &packed);
        let nowhere = folder.path().join("nowhere.tar.bz2");

        let files = [&*nowhere, &some, &page, &cut_off, &good];
        let report = import(fleet, &files, 1).await;
        let all = rest.len() as u64 + 2;
        let taken_twice = report["killmails"].as_u64().unwrap() - all;
        assert_eq!(counts(&report), [2, all + taken_twice, all, taken_twice, 6], "{report}");
        assert_eq!(report["telling_of_another_hash"], 1);
        assert_eq!(fleet.outputs.count(&["tells of another hash", &second.killmail_id.to_string()]), 1);
        let expected = [
            ("nowhere", json!(null), "it cannot be opened: No such file"),
            ("some", json!("3.json"), "it has no killmail_hash"),
            ("some", json!("4.json"), "not a killmail: EOF"),
            ("some", json!("5.json"), "20971520 bytes are too many"),
            ("page", json!(null), "it is no .tar.bz2 archive"),
            ("cut-off", json!(null), "it is cut off behind "),
        ];
        for (refusal, (file, member, reason)) in report["refusals"].as_array().unwrap().iter().zip(expected) {
            let path = folder.path().join(format!("{file}.tar.bz2"));
            assert_eq!((&refusal["file"], &refusal["member"]), (&json!(path), &member));
            assert!(refusal["reason"].as_str().unwrap().starts_with(reason), "{refusal}");
        }

        let arguments = ["import", "everef", nowhere.to_str().unwrap(), good.to_str().unwrap()];
        let ended = fleet.killfleet(&arguments).run().await.with_code(1);
        let told = format!("refused: {}: it cannot be opened: No such file", nowhere.display());
        assert!(ended.stdout.iter().any(|line| line.starts_with(&told)), "{ended:?}");
        assert!(ended.stderr.last().unwrap().contains("refused: 1. Everything else was stored"), "{ended:?}");
        assert!(fleet.killfleet(&["import", "everef"]).run().await.with_code(2).stdout.is_empty());
    });
}

fn stopped_in_the_middle_it_goes_on_from_there(on: On) {
    fleet(on, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let truth = fleet.simulator.truth().await;
        let killmail = &truth.killmails[0];
        // Some 13 MB, which is several batches, and nearly nothing when it is packed.
        let padded = member(killmail).replacen('{', &format!(r#"{{"padding":"{}","#, " ".repeat(64 * 1024)), 1);
        let of_number = |number: i64| {
            let text = padded.replace(
                &format!(r#""killmail_id":{}"#, killmail.killmail_id),
                &format!(r#""killmail_id":{}"#, killmail.killmail_id + number),
            );
            (format!("{number}.json"), text)
        };
        let bytes = archive(&(0..200).map(of_number).collect::<Vec<_>>());
        let folder = TemporaryFolder::new();
        // Whoever writes to it has gone no further, so that the command waits in the middle.
        let pipe = folder.path().join("pipe.tar.bz2");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let importing = fleet.killfleet(&["import", "everef", "--json", pipe.to_str().unwrap()]).start();
        let mut writer = tokio::task::spawn_blocking({
            let (pipe, beginning) = (pipe.clone(), bytes[..bytes.len() * 3 / 4].to_owned());
            move || {
                let mut writer = fs::File::options().write(true).open(pipe).unwrap();
                writer.write_all(&beginning).unwrap();
                writer
            }
        });
        let writer = (&mut writer).await.unwrap();
        eventually("some are stored", async || fleet.database.count("killmail").await > 0).await;
        importing.signal("INT");
        let ended = importing.ended().await.with_code(1);
        drop(writer);
        assert!(ended.stderr.last().unwrap().contains("what was stored stays"), "{ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
        let stored = u64::try_from(fleet.database.count("killmail").await).unwrap();
        assert_eq!(counts(&report), [0, stored, stored, 0, 0]);
        assert!(stored < 200);

        let whole = save(&folder, "whole.tar.bz2", &bytes);
        assert_eq!(counts(&import(fleet, &[&whole], 0).await), [1, 200, 200 - stored, stored, 0]);
        assert_eq!(fleet.database.count("killmail_ref where state = 'stored'").await, 200);
    });
}
