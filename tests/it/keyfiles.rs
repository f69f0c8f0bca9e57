//! Files of keys: what is none is refused as a whole, and one key is one key however its line stood.

use reqwest::Method;
use serde_json::{Value, json};

use kamid::domain::Take;
use kamid::store::{Chunk, script};

use crate::support::redis::Bench;
use crate::support::shop::Daemon;

/// Imports a file: what was printed, and the exit code.
fn import(shop: &Daemon, product: &str, file: &[u8], more: &[&str]) -> (String, Option<i32>) {
    let path = shop.data.join("keys.txt");
    std::fs::write(&path, file).unwrap();
    let done = shop.cli(&[&["keys", "import", product, path.to_str().unwrap()], more].concat(), "");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (said, done.status.code())
}

fn pool(shop: &Daemon, product: &str) -> Value {
    shop.json(&["product", "show", product], "")["stock"]["pool"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_one_key_whatever_stands_around_it() {
    let shop = Daemon::start("");
    shop.product("edge", &[], 0);
    shop.json(&["keys", "import", "edge", "-"], "EDGE-0001\n");
    let edges = [
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "\u{200e}",
        "\u{2060}",
        "\u{feff}",
        "\u{2009}",
        "\u{ad}",
        "\u{e0020}",
        "\u{85}",
    ];
    for edge in edges {
        for text in
            [format!("EDGE-0001{edge}\r\n"), format!("{edge}EDGE-0001\r\n"), format!("{edge} {edge}EDGE-0001\t{edge}")]
        {
            let report = shop.json(&["keys", "import", "edge", "-"], &text);
            assert_eq!((&report["imported"], &report["known"]), (&json!(0), &json!(1)), "{edge:?} in {text:?}");
        }
    }
    // Two files of Notepad, one behind the other; one key three times; and what is invisible inside, by its line.
    let text = "\u{feff}M-1\r\nM-2\r\n\u{feff}M-3\r\n\u{feff}\u{feff}M-4\r\nM-4\u{200b}\r\n M-4\r\nM\u{200b}-5\r\n\u{200b}\r\n";
    let report = shop.json(&["keys", "import", "edge", "-"], text);
    let of = |name: &str| report[name].clone();
    assert_eq!((of("lines"), of("imported"), of("repeated"), of("blank")), (json!(8), json!(4), json!(2), json!(1)));
    assert_eq!((of("repeated_lines"), of("unreadable_lines")), (json!([5, 6]), json!([7])));
    let again = shop.json(&["keys", "import", "edge", "-"], "M-1\nM-2\nM-3\nM-4\n");
    assert_eq!(again["known"], 4);
    // Taken out of sale by name, by the same rule.
    let wish = json!({"keys": "\u{a0}M-3\u{200b}\r\n\u{feff}M-4\r\nM-4\n"});
    let (_, done) = shop.ask(Method::POST, "/v1/products/edge/void", Some(&wish)).await;
    assert_eq!((&done["voided"], &done["keys_named"]), (&json!(2), &json!(2)), "{done}");
    shop.audit();
}

#[tokio::test]
async fn a_key_that_stood_otherwise_in_an_older_pool_is_known() {
    let bench = Bench::new(Take::Order, 0).await;
    let chunk = |key: &str, stood: &[&str]| {
        let stood = stood.iter().map(|text| (0, bench.sealed(text).1)).collect();
        Chunk { stood, ..bench.chunk(&[bench.sealed(key).0]) }
    };
    let imports = async |chunk: Chunk<'_>| bench.store.import(&chunk).await.unwrap().0;
    // An older version sealed the line as it stood: it is known by that, and clean from then on.
    assert_eq!(imports(chunk("A\u{a0}", &[])).await, [true]);
    assert_eq!(imports(chunk("A", &["A\u{a0}"])).await, [false]);
    assert_eq!(imports(chunk("A", &[])).await, [false]);
    // The other way round.
    assert_eq!(imports(chunk("B", &["B\u{200b}", "\u{feff}B"])).await, [true]);
    for known in ["B", "B\u{200b}", "\u{feff}B"] {
        assert_eq!(imports(chunk(known, &[])).await, [false], "{known:?}");
    }
    // An importer is killed when all is staged: whoever finishes it knows both.
    let (slot, product, n) = (bench.product.home(), &bench.product.id, bench.store.names);
    let ((key, _), (_, stood)) = (bench.sealed("C"), bench.sealed("C\u{a0}"));
    let staged = [n.staged(slot, "killed"), n.staging(slot)];
    let member = format!("{product}|killed");
    let staging: [&[u8]; 4] = [b"1", member.as_bytes(), &key.0, &stood];
    assert_eq!(bench.raw(&script::STAGE, &staged, &staging).await.unwrap(), "staged");
    assert_eq!(bench.store.recover(u64::MAX).await.unwrap(), (1, vec![]));
    assert_eq!(bench.stock().await.pool, 3);
    for known in ["C", "C\u{a0}"] {
        assert_eq!(imports(chunk(known, &[])).await, [false], "{known:?}");
    }
    // Several import the same at once: each key is there once, and none is missing.
    let many = |batch: u32| {
        let keys: Vec<_> = (0..300).map(|n| bench.sealed(&format!("MANY-{n}")).0).collect();
        let stood = (0..300).map(|n| (n, bench.sealed(&format!("MANY-{n}\u{a0}")).1)).collect();
        Chunk { batch: format!("many{batch}"), stood, ..bench.chunk(&keys) }
    };
    let chunks: Vec<_> = (0..4).map(many).collect();
    let reports = futures_util::future::join_all(chunks.iter().map(|chunk| bench.store.import(chunk))).await;
    let ours: usize = reports.into_iter().map(|report| report.unwrap().0.iter().filter(|ours| **ours).count()).sum();
    assert_eq!((ours, bench.stock().await.pool), (300, 303));
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

/// What is no file of keys: its name, its bytes, and what is said of it.
fn no_files() -> [(&'static str, Vec<u8>, &'static str); 6] {
    let words = ["普通点卡", "魔", "月", "高级会员", "园", "苹果", "模拟", "省"];
    let file: String = words.iter().map(|word| format!("{word}----CARD\r\n")).collect();
    [
        (
            "GBK of which some lines are UTF-8",
            gbk(&file),
            "8 lines: 0 keys imported\n  the file is no UTF-8 text (line 1): it looks like GBK",
        ),
        ("GBK that is UTF-8", gbk("魔\n园\n"), "2 lines: 0 keys imported\n  the file can be read as UTF-8 and as GBK"),
        (
            "an archive",
            b"\x1f\x8b\x08\0\0\0g\ng\n\0".to_vec(),
            "3 lines: 0 keys imported\n  the file is a gzip archive",
        ),
        (
            "a table",
            b"card,note\r\n\"S-3\r\nline2\",\"c\"\r\n".to_vec(),
            "3 lines: 0 keys imported\n  the file is a table (CSV)",
        ),
        (
            "a page",
            b"<!DOCTYPE html>\n<html>403</html>\n".to_vec(),
            "2 lines: 0 keys imported\n  the file is a web page",
        ),
        (
            "UTF-16",
            "\u{feff}C-1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "0 keys imported\n  the file is no UTF-8 text (line 1): it looks like UTF-16LE",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_of_keys_is_refused_whole_and_by_its_name() {
    let shop = Daemon::start("");
    shop.product("sheet", &[], 0);
    for (name, file, wanted) in &no_files() {
        let (said, code) = import(&shop, "sheet", file, &[]);
        assert!(said.contains(wanted) && code == Some(1), "{name}: {code:?} {said}");
        let (said, code) = import(&shop, "sheet", file, &["--json"]);
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&report["imported"], code), (&json!(0), Some(1)), "{name}");
        assert!(report["refused"].is_string(), "{name}: {report}");
        // The API is told the same of its body.
        let token = std::fs::read_to_string(shop.data.join("admin.token")).unwrap();
        let url = format!("{}/v1/products/sheet/keys", shop.admin_url());
        let ask = shop.http.post(url).bearer_auth(token.trim()).header("content-type", "text/plain").body(file.clone());
        let answer = ask.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["x-kamid"].as_bytes()), (422, &b"admin"[..]), "{name}");
        let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!((&problem["code"], &problem["imported"]), (&json!("not_keys"), &json!(0)), "{name}");
    }
    assert_eq!(pool(&shop, "sheet"), 0);
    // Somebody knows; and of what another encoding is called, there is a word.
    let (said, code) = import(&shop, "sheet", &gbk("魔\n园\n"), &["--encoding", "utf-8"]);
    assert!(said.contains("2 lines: 2 keys imported") && code == Some(0), "{said}");
    let (said, code) = import(&shop, "sheet", &gbk("魔\n"), &["--encoding", "gbk"]);
    assert!(said.contains("UTF-8 only") && code == Some(2), "{said}");
    let (said, code) = import(
        &shop,
        "sheet",
        "{\"user\":\"a\",\"pass\":\"b\"}\n{\"user\":\"c\",\"pass\":\"d\"}\n密,1\n".as_bytes(),
        &[],
    );
    assert!(said.contains("3 lines: 3 keys imported") && code == Some(0), "{said}");
    // What goes through a pipe is judged as a whole, too.
    let late = format!("{}\u{0}\n", "K-1\n".repeat(100_000));
    let done = shop.cli(&["keys", "import", "sheet", "-"], &late);
    assert!(
        String::from_utf8_lossy(&done.stdout).starts_with("100001 lines: 0 keys imported\n  the file is a binary file")
    );
    assert_eq!(pool(&shop, "sheet"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parts_of_a_file_fit_what_the_daemon_takes() {
    let shop = Daemon::start("[limits]\nimport_bytes = 65536\n");
    shop.product("small", &[], 0);
    let long = "L".repeat(70_000);
    let fits = "F".repeat(4096);
    let text: String = (0..12_000).map(|n| format!("K{n:06}\n")).collect::<String>() + &format!("{long}\n{fits}\nZ\n");
    let (said, code) = import(&shop, "small", text.as_bytes(), &["--json"]);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let of = |name: &str| report[name].clone();
    assert_eq!(
        (of("lines"), of("imported"), of("blank"), code),
        (json!(12_003), json!(12_002), json!(0), Some(0)),
        "{said}"
    );
    assert_eq!((of("too_long_lines"), of("too_long")), (json!([12_001]), json!(1)));
    // Whoever sends more is told what is wrong, by the admin side.
    let token = std::fs::read_to_string(shop.data.join("admin.token")).unwrap();
    let ask = shop.http.post(format!("{}/v1/products/small/keys", shop.admin_url())).bearer_auth(token.trim());
    let answer = ask.body("K\n".repeat(32_769)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["x-kamid"].as_bytes()), (413, &b"admin"[..]));
    // A long list of keys to void goes in parts as well.
    let file = shop.data.join("void.txt");
    std::fs::write(
        &file,
        text.lines().filter(|line| line.starts_with('K')).map(|line| format!("{line}\r\n")).collect::<String>(),
    )
    .unwrap();
    let done = shop.json(&["keys", "void", "small", "--file", file.to_str().unwrap()], "");
    assert_eq!(
        (&done["voided"], &done["keys_named"], &done["not_in_pool"]),
        (&json!(12_000), &json!(12_000), &json!(0))
    );
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_looked_at_a_file_says_that_every_line_is_a_key() {
    let shop = Daemon::start("");
    shop.product("said", &[], 0);
    let files: [(&str, &str, &str, u64); 7] = [
        ("a mail", "X-Note: 1\nFrom: a@b.c\nSubject: d\n\nK-1\n", "the file is a mail", 4),
        (
            "a piece of a page",
            "<tr><td>K-1</td></tr>\n<tr><td>K-2</td></tr>\n",
            "a web page or XML, or a piece of it",
            2,
        ),
        ("XML", "<k>\n<c>K-1</c>\n</k>\n", "a web page or XML, or a piece of it", 3),
        ("JSON on one line", "{\"keys\":[\"A\",\"B\"]}\n", "the file is a JSON document", 1),
        ("a list on one line", "[\"A\",\"B\"]", "the file is a JSON document", 1),
        ("Excel's text", "=\"0001\"\r\n=\"0002\"\r\n", "as in line 1", 2),
        ("a table", "卡号,密码\nA,1\nB,2\n", "a table (CSV) with headings", 3),
    ];
    let mut pooled = 0;
    for (name, file, why, keys) in files {
        let (said, code) = import(&shop, "said", file.as_bytes(), &[]);
        assert!(said.contains(why) && said.contains("--as-lines") && code == Some(1), "{name}: {code:?} {said}");
        assert_eq!(pool(&shop, "said"), pooled, "{name}");
        let path = "/v1/products/said/keys";
        let send = async |query: &str| {
            let (url, token) = shop.admin_at(path);
            let ask = shop.http.post(format!("{url}{query}")).bearer_auth(token).body(file.to_owned());
            let answer = ask.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        assert_eq!(send("").await.0, 422, "{name}");
        let (said, code) = import(&shop, "said", file.as_bytes(), &["--as-lines"]);
        assert!(said.contains(&format!("{keys} keys imported")) && code == Some(0), "{name}: {code:?} {said}");
        let (status, report) = send("?as_lines=true").await;
        assert_eq!((status, &report["known"]), (200, &json!(keys)), "{name}: {report}");
        // What came in so goes out so.
        let done = shop.cli(&["keys", "void", "said", "--file", shop.data.join("keys.txt").to_str().unwrap()], "");
        assert!(!done.status.success(), "{name}");
        let (file, as_lines) = (shop.data.join("keys.txt"), "--as-lines");
        let done = shop.json(&["keys", "void", "said", "--file", file.to_str().unwrap(), as_lines], "");
        assert_eq!(done["voided"], keys, "{name}");
        let done = shop.json(&["keys", "restore", "said", "--count", &keys.to_string()], "");
        assert_eq!(done["restored"], keys, "{name}");
        pooled += keys;
    }
    for file in [&b"K-1\0\n"[..], b"\x1f\x8b\x08\0\0\0g\n", b"K-\xff\n", b"A\rB\rC\r", b"A\0\n\0"] {
        let (said, code) = import(&shop, "said", file, &["--as-lines"]);
        assert!(said.contains("0 keys imported") && !said.contains("--as-lines") && code == Some(1), "{said}");
    }
    assert_eq!(pool(&shop, "said"), pooled);
    shop.audit();
}

#[test]
fn a_heading_and_what_nobody_sees_are_refused_by_their_lines() {
    let shop = Daemon::start("");
    shop.product("head", &[], 0);
    let (said, code) =
        import(&shop, "head", "卡密\r\nK-1\r\nCard No.\r\nK\u{2800}2\r\n❤\u{fe0f}-3\r\nK\u{1b}4\r\n".as_bytes(), &[]);
    let lines = [
        "6 lines: 1 keys imported",
        "1 not UTF-8 text, or with control characters inside (lines 6)",
        "2 with characters inside that nobody sees (an emoji's joiners and selectors are such, too) (lines 4, 5)",
        "2 a column's heading, no key (if it is one: --as-lines) (lines 1, 3)",
    ];
    assert!(lines.iter().all(|line| said.contains(line)) && code == Some(0), "{said}");
    let report = shop.json(&["keys", "import", "head", "-"], "K-1\n卡号\t密码\n");
    assert_eq!((&report["headings"], &report["heading_lines"]), (&json!(1), &json!([2])));
    // Nothing but that is nothing done.
    for text in ["code\n", "K\u{fffa}1\n"] {
        let done = shop.cli(&["keys", "import", "head", "-"], text);
        assert_eq!(done.status.code(), Some(1), "{text:?}");
    }
    let report = shop.json(&["keys", "import", "head", "-", "--as-lines"], "code\nCDKEY\n");
    assert_eq!((&report["imported"], &report["headings"]), (&json!(2), &json!(0)));
    assert_eq!(pool(&shop, "head"), 3);
    // Voided by name, as it stands.
    let done = shop.cli(&["keys", "void", "head", "--file", "/dev/stdin"], "code\n");
    assert!(done.status.success() && pool(&shop, "head") == 2, "{}", String::from_utf8_lossy(&done.stderr));
    shop.audit();
}

#[test]
fn nothing_is_imported_into_nothing() {
    let shop = Daemon::start("");
    shop.product("here", &[], 0);
    for text in ["", "\n", "K-1\n"] {
        for json in [&["--json"][..], &[]] {
            let done = shop.cli(&[&["keys", "import", "nowhere", "-"], json].concat(), text);
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.code() == Some(1) && said.contains("no such product"), "{text:?}: {said}");
            assert!(done.stdout.is_empty(), "{text:?}");
        }
        let done = shop.cli(&["keys", "import", "here", "-"], text);
        assert!(done.status.success(), "{text:?}");
    }
}
