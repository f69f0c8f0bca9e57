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
fn channels_are_judged_by_the_files_own_mode_whatever_else_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let text = "[server]\nadminn = \"x\"\n[store]\nurl = \"redis://h:99999/0\"\n[test]\nmode = false\n[channel.sb]\nkind = \"sandbox\"\n[channel.p]\nkind = \"epay_v1\"\npid = \"1\"\nkey_env = \"SECRET5abcdef\"\ngatewya_url = \"https://pay.example\"\n";
    std::fs::write(&file, text).unwrap();
    let done =
        Command::new(env!("CARGO_BIN_EXE_kamid")).args(["config", "check", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    for part in [
        "server.adminn: is not a setting; did you mean admin?",
        "store.url: must be redis://host:port/number",
        "exists in test mode only",
        "channel.p.key_env: must be the name of a variable that is set",
        "did you mean gateway_url?",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains("SECRET5"), "{said}");
}

#[test]
fn what_cannot_work_with_real_money_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file = folder.path().join("live.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
        let done = command.args(["config", "check", "--config"]).arg(&file).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (code, said) = check("[test]\nmode = false\n");
    assert_eq!(code, Some(0));
    for part in ["server.public_url: is this machine's own address", "channel: there is none"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    std::fs::write(folder.path().join("k"), "SECRETKEY").unwrap();
    let channel =
        "[channel.p]\nkind = \"epay_v1\"\npid = \"1\"\nkey_file = \"k\"\ngateway_url = \"http://pay.example/\"\n";
    let (code, said) =
        check(&format!("[test]\nmode = false\n[server]\npublic_url = \"https://shop.example\"\n{channel}"));
    assert_eq!(code, Some(0));
    for part in ["channel.p.gateway_url: is not https", "channel.p.key_file: others on this machine can read k"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(!said.contains("public_url"), "{said}");
    let (code, said) = check("[server]\npublic = \"127.0.0.1:8080\"\nadmin = \"127.0.0.1:8080\"\n");
    assert_eq!(code, Some(64));
    assert!(said.contains("line 3: server.admin"), "{said}");
}

#[test]
fn the_printed_default_is_the_file_and_can_be_used() {
    let done = Command::new(env!("CARGO_BIN_EXE_kamid")).args(["config", "default"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), include_str!("../../config.toml"));
    assert!(kamid::config::Config::defaults().is_ok());
}
