//! The shape of the house: who may depend on whom, and what must not come in.
//!
//! A new arrow is a decision: draw it here in a commit of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each of our crates with those of ours that it may use. Tests of a crate may use no more than the crate itself;
/// `fleet-tests` drives the built binaries and may use anything.
const ARROWS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("broker", &["domain"]),
    ("esi", &["domain"]),
    ("service", &["domain"]),
    ("worker", &["broker", "domain", "esi", "service", "store"]),
    ("scheduler", &["broker", "domain", "service", "store"]),
    // `esi-sim` is what the demonstration talks to; `broker` is for the parked queue alone.
    ("killfleet", &["broker", "domain", "esi", "esi-sim", "scheduler", "service", "store", "worker"]),
    // Nothing of ours: if it shared a type with the client, a wrong field name would agree with itself.
    ("esi-sim", &[]),
];

/// The rules read no clock and know no server.
const NOT_IN_DOMAIN: [&str; 4] = ["tokio", "sqlx", "lapin", "reqwest"];

/// OpenSSL, and the second provider of cryptography, which needs a C++ build.
const NOT_IN_THE_BUILD: [&str; 5] = ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

#[expect(clippy::disallowed_methods, reason = "cargo says where it is")]
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo can be run");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// Our packages, each with the names of all its dependencies, those of its tests and its build script among them.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        dependencies.iter().map(|dependency| text(&dependency["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), names(package))).collect()
}

#[test]
fn arrows_point_as_they_are_drawn() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).filter(|name| *name != "fleet-tests").collect();
    assert_eq!(ours, ARROWS.iter().map(|(name, _)| *name).collect(), "a crate that is not drawn");
    for (name, allowed) in ARROWS {
        for dependency in dependencies[name].iter().filter(|dependency| dependencies.contains_key(*dependency)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_rules_know_no_server_and_no_clock() {
    let domain = &dependencies()["domain"];
    for unwanted in NOT_IN_DOMAIN {
        assert!(!domain.contains(unwanted), "domain must not depend on {unwanted}");
    }
}

#[test]
fn backoff_is_named_in_one_file() {
    let named_by = dependencies().into_iter().filter(|(_, names)| names.contains("backoff"));
    assert_eq!(named_by.map(|(name, _)| name).collect::<Vec<_>>(), ["broker"]);
    let mut sources = Vec::new();
    rust_files(&root().join("crates"), &mut sources);
    assert!(sources.len() > 50, "the sources are found");
    let uses = |path: &PathBuf| {
        let source = std::fs::read_to_string(path).expect("a source can be read");
        source.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("backoff::"))
    };
    let using: Vec<PathBuf> = sources.into_iter().filter(uses).collect();
    assert_eq!(using, [root().join("crates/broker/src/reconnect.rs")]);
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `Cargo.lock` also names what other features of our dependencies would bring; what counts is what is compiled.
#[test]
fn neither_openssl_nor_a_second_provider_of_cryptography_is_built() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--offline",
        "--locked",
        "--edges",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(built.contains("ring") && built.contains("rustls"), "the tree is readable");
    for unwanted in NOT_IN_THE_BUILD {
        assert!(!built.contains(unwanted), "{unwanted} is part of the build");
    }
}
