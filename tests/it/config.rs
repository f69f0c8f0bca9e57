//! The configuration: the default is complete, and a wrong one is told of whole, without its secrets.

use std::process::Command;

#[test]
fn every_problem_is_told_at_once_with_its_line_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let text = "[server]\npublc = \"x\"\nadmin = \"nope\"\n[limits]\nbody_bytes = 1\n[channel.p]\nkind = \"epay_v1\"\npid = \"1\"\nkey = \"SECRETKEY\"\nsign_type = \"RSA\"\n";
    std::fs::write(&file, text).unwrap();
    let done =
        Command::new(env!("CARGO_BIN_EXE_kamid")).args(["config", "check", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(64));
    for part in [
        "line 2: server.publc",
        "line 3: server.admin",
        "line 5: limits.body_bytes",
        "channel.p.gateway_url",
        "line 10: channel.p.sign_type",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains("SECRETKEY"));
}

#[test]
fn the_printed_default_is_the_file_and_can_be_used() {
    let done = Command::new(env!("CARGO_BIN_EXE_kamid")).args(["config", "default"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), include_str!("../../config.toml"));
    assert!(kamid::config::Config::defaults().is_ok());
}
