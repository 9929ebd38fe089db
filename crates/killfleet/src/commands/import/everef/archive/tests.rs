//! Archives as they should be, and as they come: cut off, damaged, or something else altogether.

use std::env::temp_dir;
use std::fs;
use std::io::Write;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tar::{Builder, Header};

use super::*;

/// For archives of blocks of 100 kB, which is what the lowest level of compression makes.
const SMALL_BATCH_BYTES: u64 = 150_000;

/// A file that goes away with the test.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn with(bytes: &[u8]) -> Self {
        let path = temp_dir().join(format!("killfleet-test-{}.tar.bz2", uuid::Uuid::now_v7().simple()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

fn add(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, content).unwrap();
}

/// With so much in it that compresses badly, so that a packed block is not small.
fn killmail(id: u64, random: &mut StdRng) -> String {
    let attackers: Vec<String> = (0..10)
        .map(|_| format!(r#"{{"final_blow":true,"character_id":{},"damage_done":{}}}"#, random.random::<u32>(), id))
        .collect();
    format!(
        r#"{{"attackers":[{}],"killmail_hash":"9802da62e92a1d86fabdd48963e714819106fa8b","killmail_id":{id},
        "killmail_time":"2016-10-22T17:13:36Z","solar_system_id":30002976,"victim":{{"ship_type_id":670}}}}"#,
        attackers.join(",")
    )
}

/// So many killmails, from 1 on, and the archive with them.
fn archive(killmails: u64) -> (Vec<String>, Vec<u8>) {
    let mut random = StdRng::seed_from_u64(17);
    let texts: Vec<String> = (1..=killmails).map(|id| killmail(id, &mut random)).collect();
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, EntryType::Directory, "killmails/", b"");
    for (id, text) in (1..).zip(&texts) {
        add(&mut tar, EntryType::Regular, &format!("killmails/{id}.json"), text.as_bytes());
    }
    (texts, packed(&tar.into_inner().unwrap()))
}

/// All batches that come of some files.
fn batches(files: &[PathBuf]) -> Vec<Batch> {
    let (sender, mut receiver) = mpsc::channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || read_all(files, SMALL_BATCH_BYTES, &Arc::default(), &sender));
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    })
}

struct Taken {
    bodies: Vec<String>,
    refused: Vec<Refusal>,
    is_whole: bool,
}

fn taken(bytes: &[u8]) -> Taken {
    let file = TemporaryFile::with(bytes);
    let mut taken = Taken { bodies: Vec::new(), refused: Vec::new(), is_whole: false };
    for batch in batches(std::slice::from_ref(&file.0)) {
        assert!(!taken.is_whole, "nothing follows the end of a file");
        taken.bodies.extend(batch.members.into_iter().map(|member| member.body.json));
        taken.refused.extend(batch.refused);
        taken.is_whole = batch.is_end_of_file;
    }
    taken
}

/// As they come out of an archive.
fn bodies(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| Member::parse(text.as_bytes()).unwrap().body.json).collect()
}

#[test]
fn every_member_of_every_file_comes_in_batches_that_are_bounded() {
    let (texts, bytes) = archive(800);
    let (one, two) = (TemporaryFile::with(&bytes), TemporaryFile::with(&archive(1).1));
    let nowhere = temp_dir().join("killfleet-test-nowhere.tar.bz2");
    let batches = batches(&[nowhere.clone(), one.0.clone(), two.0.clone()]);
    for (path, killmails, is_whole) in [(&nowhere, 0, false), (&one.0, 800, true), (&two.0, 1, true)] {
        let name = path.display().to_string();
        let of_file: Vec<_> = batches.iter().filter(|batch| *batch.file == *name).collect();
        assert_eq!(of_file.iter().map(|batch| batch.members.len()).sum::<usize>(), killmails, "{name}");
        assert_eq!(of_file.last().unwrap().is_end_of_file, is_whole);
        let refused: Vec<_> = of_file.iter().flat_map(|batch| &batch.refused).collect();
        assert_eq!(refused.len(), usize::from(!is_whole), "{refused:?}");
        assert!(refused.iter().all(|refusal| refusal.reason.starts_with("it cannot be opened: No such file")));
    }
    let longest = texts.iter().map(String::len).max().unwrap() as u64;
    for batch in &batches {
        let bytes: usize = batch.members.iter().map(|member| member.body.json.len()).sum();
        assert!((bytes as u64) < SMALL_BATCH_BYTES + longest, "{bytes}");
    }
    assert!(batches.len() > 4);
}

#[test]
fn of_an_archive_that_is_cut_off_everything_before_is_taken() {
    let (texts, bytes) = archive(800);
    let whole = bodies(&texts);
    assert!(whole.concat().len() > 500_000, "several blocks");
    let mut most = 0;
    for length in (1..bytes.len()).step_by(bytes.len() / 12).chain([bytes.len() - 1]) {
        let taken = taken(&bytes[..length]);
        assert_eq!(taken.bodies, whole[..taken.bodies.len()], "cut off at {length}");
        assert!(!taken.is_whole && taken.refused.len() == 1 && taken.refused[0].member.is_none(), "{length}");
        let expected = format!("it is cut off behind {} members", taken.bodies.len());
        assert!(taken.refused[0].reason.starts_with(&expected), "{:?}", taken.refused);
        most = most.max(taken.bodies.len());
    }
    assert!(most > 500);
}

#[test]
fn of_an_archive_that_is_damaged_nothing_is_taken_that_may_be_wrong() {
    let (texts, bytes) = archive(800);
    let whole = bodies(&texts);
    let mut most = 0;
    for place in (0..bytes.len()).step_by(bytes.len() / 25) {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x10;
        let taken = taken(&bytes);
        assert_eq!(taken.bodies, whole[..taken.bodies.len()], "damaged at {place}");
        assert!(
            !taken.is_whole && taken.refused.len() == 1 && taken.refused[0].member.is_none(),
            "{:?}",
            taken.refused
        );
        most = most.max(taken.bodies.len());
    }
    assert!(most > 300, "{most}");
}

#[test]
fn members_that_are_no_killmails_are_refused_and_the_others_taken() {
    let text = killmail(7, &mut StdRng::seed_from_u64(1));
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, EntryType::Directory, "killmails/", b"");
    add(&mut tar, EntryType::Regular, "killmails/1.json", b"{\"killmail_id\":1");
    add(&mut tar, EntryType::Regular, "killmails/2.json", &vec![b' '; 20 * 1024 * 1024]);
    add(&mut tar, EntryType::Regular, "killmails/3.json", b"");
    add(&mut tar, EntryType::Symlink, "killmails/4.json", b"");
    add(&mut tar, EntryType::Regular, "killmails/\u{1b}[31m.json", b"[]");
    // Longer than a header has room for: then a member of another kind stands in front.
    add(&mut tar, EntryType::Regular, &format!("killmails/{}.json", "7".repeat(200)), text.as_bytes());
    let taken = taken(&packed(&tar.into_inner().unwrap()));
    assert_eq!(taken.bodies, bodies(&[text]));
    let expected = [
        ("killmails/1.json", "not a killmail: EOF"),
        ("killmails/2.json", "20971520 bytes are too many for a killmail"),
        ("killmails/3.json", "not a killmail: EOF"),
        ("killmails/4.json", "it is no plain file"),
        ("killmails/\\u{1b}[31m.json", "not a killmail: invalid type: sequence"),
    ];
    assert!(taken.is_whole && taken.refused.len() == expected.len(), "{:?}", taken.refused);
    for (refused, (name, reason)) in taken.refused.iter().zip(expected) {
        assert_eq!(refused.member.as_deref(), Some(name));
        assert!(refused.reason.starts_with(reason), "{refused:?}");
    }
}

#[test]
fn what_is_no_archive_is_refused_as_a_whole() {
    let not_packed = {
        let mut tar = Builder::new(Vec::new());
        add(&mut tar, EntryType::Regular, "killmails/7.json", b"{}");
        tar.into_inner().unwrap()
    };
    let nothing_in_it = Builder::new(Vec::new()).into_inner().unwrap();
    for (bytes, expected) in [
        (Vec::new(), "it is no .tar.bz2 archive, or damaged: it is empty"),
        (b"<html>not found</html>".to_vec(), "it is no .tar.bz2 archive, or damaged: "),
        (not_packed, "it is no .tar.bz2 archive, or damaged: "),
        (packed(&[b'x'; 5000]), "it is no .tar.bz2 archive, or damaged: "),
        (packed(&[b'x'; 100]), "it is no .tar.bz2 archive, or damaged: "),
    ] {
        let taken = taken(&bytes);
        assert!(taken.bodies.is_empty() && !taken.is_whole);
        assert!(taken.refused.len() == 1 && taken.refused[0].reason.starts_with(expected), "{:?}", taken.refused);
    }
    let of_folder = batches(&[temp_dir()]);
    assert!(of_folder[0].refused[0].reason.contains("Is a directory"), "{of_folder:?}");
    let taken = taken(&packed(&nothing_in_it));
    assert!(taken.is_whole && taken.bodies.is_empty() && taken.refused.is_empty(), "a day without killmails");
}
