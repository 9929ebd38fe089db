//! `killfleet demo`: no settings, no servers, nothing left behind.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Fleet, On, Process, TemporaryFolder, World, eventually, fleet};

/// Knows nothing but a folder for temporary files.
fn demo<'fleet>(fleet: &'fleet Fleet<'_>, flags: &[&str], folder: &TemporaryFolder) -> Process<'fleet> {
    let arguments: Vec<&str> = ["demo"].iter().chain(flags).copied().collect();
    let settings = BTreeMap::from([("TMPDIR".to_owned(), folder.path().to_str().unwrap().to_owned())]);
    Process::of("killfleet", &arguments, settings, fleet.outputs)
}

fn left_in(folder: &TemporaryFolder) -> usize {
    std::fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn it_stores_every_killmail_tells_what_to_do_next_and_leaves_nothing_behind() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let ended = demo(fleet, &[], &folder).run().await.well();
        let row = |name: &str| -> f64 {
            let line = ended.stdout.iter().find(|line| line.trim_start().starts_with(name));
            let line = line.unwrap_or_else(|| panic!("no row {name:?} in {:?}", ended.stdout));
            line.split_whitespace().next_back().unwrap().parse().unwrap()
        };
        let rows = ["characters", "killmails stored", "refused with 420 or 429"].map(row);
        assert_eq!(rows, [20.0, 326.0, 0.0]);
        assert!(row("participants stored") > 326.0 && row("ESI tokens spent") > 652.0);
        assert!(ended.stdout.iter().any(|line| line.contains("killfleet standalone")), "it says what to do next");
        assert!(ended.stderr.iter().any(|line| line.contains("of 326 killmails stored")), "{:?}", ended.stderr);
        assert_eq!(left_in(&folder), 0);
    });
}

#[test]
fn as_json_it_is_one_object_whatever_its_size() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let flags = ["--json", "--characters", "3", "--killmails", "0"];
        let ended = demo(fleet, &flags, &folder).run().await.well();
        assert_eq!((ended.stdout.len(), ended.stderr.len()), (1, 0), "{ended:?}");
        let table: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
        assert_eq!((table["characters"].as_i64(), table["killmails_stored"].as_i64()), (Some(3), Some(26)));
        assert_eq!(left_in(&folder), 0);
    });
}

#[test]
fn interrupted_it_leaves_nothing_behind_either() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        let running = demo(fleet, &["--killmails", "1500"], &folder).start();
        eventually("its database is there", async || left_in(&folder) == 1).await;
        running.signal("INT");
        let ended = running.ended().await.with_code(1);
        assert!(ended.stderr.last().is_some_and(|line| line.contains("was stopped")), "{:?}", ended.stderr);
        assert_eq!(left_in(&folder), 0);
    });
}

#[test]
fn without_a_folder_for_temporary_files_it_names_the_setting_for_it() {
    fleet(On::Standalone, World::of(1, 1).nobody_signed_in(), async |fleet: &Fleet| {
        let folder = TemporaryFolder::new();
        std::fs::remove_dir(folder.path()).unwrap();
        let ended = demo(fleet, &[], &folder).run().await.with_code(2);
        assert_eq!(ended.stderr.len(), 1, "{:?}", ended.stderr);
        assert!(ended.stderr[0].contains("TMPDIR") && !ended.stderr[0].contains("KILLFLEET"), "{:?}", ended.stderr);
    });
}
