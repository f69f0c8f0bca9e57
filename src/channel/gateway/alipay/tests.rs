use serde_json::Value;

use super::*;
use crate::settings::{ConfigProblem, Section};

#[test]
fn a_certificate_that_signs_nothing_here_is_told_of() {
    let vector = include_str!("../../../../tests/vectors/alipay/c06-cert-mode-sn.json");
    let vector: Value = serde_json::from_str(vector).unwrap();
    let build_with = |row: Option<&Setting>| {
        let mut config = vector["config"].as_object().unwrap().clone();
        if let Some(row) = row {
            // What it makes has a key of an elliptic curve.
            let other = rcgen::generate_simple_self_signed(vec!["platform".to_owned()]).unwrap();
            config.insert(row.key.to_owned(), other.cert.pem().into());
        }
        let (section, mut problems) = (Section::from_json("x", &config), Vec::new());
        let built =
            build(ChannelInputs { name: "x", now: 0 }, &mut section.values(&[SETTINGS], &mut problems)).is_some();
        problems.retain(|problem: &ConfigProblem| !problem.warning);
        (built, problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<String>())
    };
    assert_eq!(build_with(None), (true, String::new()));
    for row in [&ALIPAY_CERT, &APP_CERT] {
        let (_, told) = build_with(Some(row));
        let wanted = format!("x.{}: holds a certificate without an RSA key of 2048 bits", row.key);
        assert!(told.starts_with(&wanted), "{told}");
    }
}
