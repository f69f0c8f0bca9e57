use super::*;
use encoding_rs::GBK;

fn gbk(text: &str) -> Vec<u8> {
    GBK.encode(text).0.into_owned()
}

fn said(file: &[u8]) -> String {
    match judge(file, Said::default()) {
        Ok(()) => "keys".to_owned(),
        Err((why, _)) => why.to_string(),
    }
}

#[test]
fn what_people_sell_is_a_file_of_keys() {
    let files = [
        "",
        "\u{feff}",
        "A-1\r\nA-2\r\n",
        "A-1\r",
        "A-1\r\nA\rB\nA-2\n",
        "\u{feff}A-1\r\n\u{feff}A-2\n",
        "卡密一\r\n卡密二\r\n",
        "密\n",
        "點數卡----K1\n",
        "カード----K1\n카드----K2\n😀----K3\n",
        "K1,9.90,note\nK2,9.90,note\n",
        "user,pass\n",
        "卡密\nK-1\n",
        "user----password----mail@example.com\nuser:pass|mail\n",
        "{\"user\":\"a\",\"pass\":\"b\"}\n",
        "{\"user\":\"a\",\"pass\":\"b\"}\n{\"user\":\"c\",\"pass\":\"d\"}\n",
        "[A-1]\n[A-2]\n",
        "[1]\n",
        "BM-0001\nPK-0002\nMZ-0003\nGIF8-4\n",
        "<A-1>\nTo-1\nfrom: 1\n",
        "\"A-1\nB-1\nC\"1\n",
        "EDGE-0001\u{ad}\n\u{a0}EDGE-0002\n",
        "Привет----K1\n",
        "<b>2x!k</b9\nq<br>7Zp\n8a</p>-\nK-4\nK-5\nK-6\n",
        "<A-1>\n<A-2>\n",
        "date: 1\nK-2\n",
        "sent----to----K\n---- original\n",
        "{\"user\":\"a\",\"tags\":[\"b\"]}\n{\"user\":\"c\",\"tags\":[]}\n",
        "[1]\n[2]\n",
        "1.5E+3\nK=\"1\n1E10\n12E+15\nE+15\nA#B\n##\n#1\n",
        "user\tpass word\nname----word\n",
        "A|B|C\n--|--\n",
        "From here to there\nK-2\n",
    ];
    for file in files {
        assert_eq!(said(file.as_bytes()), "keys", "{file:?}");
    }
}

#[test]
fn documents_are_called_by_their_names() {
    let files: [(&[u8], &str); 74] = [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF"),
        (b"{\\rtf1\\ansi\\ansicpg936\n{\\fonttbl}\nRTF-1\\par\n}\n", "an RTF"),
        (b"<!DOCTYPE html>\r\n<html><body>403 Forbidden</body></html>\r\n", "a web page"),
        (b"\xef\xbb\xbf\r\n\r\n<HTML>\n", "a web page"),
        (b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>\n", "a web page or XML"),
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nK-1\r\n", "an answer of a web server"),
        (b"card,note\r\n\"S-3\r\nline2\",\"c\"\r\n", "a table (CSV) with fields in quotes, as in line 2"),
        (b"\"K-1\"\r\n\"K-2\"\r\n", "a table"),
        (b"card\r\n\"K-1\"\r\n\"K-2\"\r\n", "a table"),
        (b"K-1,1\nK-2,2\nK-3,\"a \"\"b\"\"\"\n", "a table (CSV) with fields in quotes, as in line 3"),
        (b"K-1\t\"a\nb\"\tc\n", "a table (CSV) with fields in quotes, as in line 1"),
        (b"sep=;\r\nK-1;1\r\n", "a table"),
        ("\u{feff}卡号,密码\r\nK-1,P-1\r\n".as_bytes(), "a table (CSV) with headings"),
        (b"Card\tNote\nK-1\tx\n", "a table (CSV) with headings"),
        (b"{\n  \"keys\": [\n    \"A\"\n  ]\n}\n", "a JSON"),
        (b"[\"A-1\",\"A-2\"]\n", "a JSON"),
        (b"[\n\"A-1\",\n\"A-2\"\n]\n", "a JSON"),
        (b"{\"code\":403,\"msg\":\"forbidden\"}", "a JSON"),
        (b"Return-Path: <a@b.c>\r\nReceived: from x\r\n by y\r\nSubject: keys\r\n\r\nK-1\r\n", "a mail"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x0b\xf7\x0c", "a gzip archive"),
        (b"PK\x03\x04\x14\0\0\0\x08\0abcdefghijklmnopqrstuvwxyz", "a ZIP archive"),
        (b"Rar!\x1a\x07\x01\0abc\n", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c\0\x04abc\n", "a 7-Zip archive"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture (PNG)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an old Office document"),
        (b"SQLite format 3\0\x10\0", "an SQLite database"),
        (b"K-1\nK-2\0\0\0\nK-3\n", "a binary file"),
        (b"X-QQ-mid: 1\r\nX-Mailer: y\r\nFrom: a\r\n\r\nK-1\r\n", "a mail"),
        (b"ARC-Seal: i=1\r\n a=rsa\r\nX-Odd: 1\r\nX-Odder: 2\r\nX-3: 3\r\nX-4: 4\r\nX-5: 5\r\nX-6: 6\r\nSubject: keys\r\n\r\nK-1\r\n", "a mail"),
        (b"X-Spam: no\nX-Other: 1\nDelivered-To: a@b.c\nDate: x\n\nK-1\n", "a mail"),
        (b"From a@b.c Mon Nov 30 10:00:00 2026\nReturn-Path: <a@b.c>\n\nK-1\n", "a mail"),
        (b"Hello,\n\nhere they are\n\n---------- Forwarded message ---------\nFrom: a\n\nK-1\n", "a mail"),
        (b"K-0\n\nBegin forwarded message:\n\nK-1\n", "a mail"),
        (b"see below\n> From: a\n> Sent: b\n> To: c\n> K-1\n", "a mail"),
        ("你好\n------------------ 原始邮件 ------------------\nK-1\n".as_bytes(), "a mail"),
        ("转发\n发件人\u{ff1a}甲\n发送时间\u{ff1a}今天\n收件人\u{ff1a}乙\n主题\u{ff1a}卡密\n\nK-1\n".as_bytes(), "a mail"),
        (b"*From:* a\n*Sent:* b\n*Subject:* c\nK-1\n", "a mail"),
        (b"<tr><td>K-1</td></tr>\n<tr><td>K-2</td></tr>\n", "a web page or XML, or a piece"),
        (b"<div>\nK-1\n</div>\n", "a web page or XML, or a piece"),
        (b"<p>K-1\n<p>K-2\n", "a web page or XML, or a piece"),
        (b"K-1<br>\nK-2<br/>\nK-3\n", "a web page or XML, or a piece"),
        (b"\xef\xbb\xbf<li class=\"k\">K-1\n<LI>K-2\n", "a web page or XML, or a piece"),
        (b"<keys>\n  <key>K-1</key>\n</keys>\n", "a web page or XML, or a piece"),
        (b"<k:key>K-1</k:key>\n<k:key>K-2</k:key>\n", "a web page or XML, or a piece"),
        (b"<card no=\"K-1\" />\n<card no=\"K-2\" />\n", "a web page or XML, or a piece"),
        (b"{\"keys\":[\"A\",\"B\"]}", "a JSON"),
        (b"{\"keys\":[\"A\",\"B\"]}\n", "a JSON"),
        (b"{\"list\":{\"a\":\"K-1\"}}\n", "a JSON"),
        (b"[\"A\",\"B\"]", "a JSON"),
        (b"[\"A\",\"B\"]\r\n[\"C\",\"D\"]\r\n", "a JSON"),
        (b"---\n- K-1\n- K-2\n", "a YAML"),
        (b"=\"0001\"\r\n=\"0002\"\r\n", "a table as spreadsheets and pages write it, not its plain text, as in line 1"),
        (b"K-1,1\r\nK-2,=\"0002\"\r\n", "a table as spreadsheets and pages write it, not its plain text, as in line 2"),
        (b"K-1\n1.23457E+15\n", "a table as spreadsheets and pages write it, not its plain text, as in line 2"),
        (b"| key | note |\n|-----|------|\n| K-1 | x |\n", "a table as spreadsheets and pages write it, not its plain text, as in line 2"),
        (b"Card No.,PIN\nK-1,P-1\n", "a table (CSV) with headings"),
        ("序列號;有效期\nK-1;2027\n".as_bytes(), "a table (CSV) with headings"),
        (b"CD-KEY\tExpiry Date\nK-1\t2027\n", "a table (CSV) with headings"),
        ("\n序号,卡密\n1,A-1\n2,A-2\n".as_bytes(), "a table (CSV) with headings in line 2"),
        ("六月的卡\n\n序号|卡密\n1|A-1\n".as_bytes(), "a table (CSV) with headings in line 3"),
        (b"1.23457e+15\n", "a table as spreadsheets"),
        (b"K-1\n1,23457E+15\n", "a table as spreadsheets"),
        (b"K-1\n1E+15\n", "a table as spreadsheets"),
        (b"K-1,########\n", "a table as spreadsheets"),
        (b"K-1\n#N/A\n", "a table as spreadsheets"),
        (b"#REF!\nK-1\n", "a table as spreadsheets"),
        (b"K-1\t#NAME?\n", "a table as spreadsheets"),
        (b"-----Original Message-----\nK-1\n", "a mail"),
        (b"Begin forwarded message:\nK-1\n", "a mail"),
        ("------ 原始邮件 ------\nK-1\n".as_bytes(), "a mail"),
        (b"------WebKitFormBoundaryx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"k.txt\"\r\n\r\nK-1\r\n", "an upload of a form"),
        (b"--------------------------d9770\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nK-1\r\n", "an upload of a form"),
        (b"<?xml version=\"1.0\"?><k>\n", "a web page or XML"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a file of certificates"),
    ];
    for (file, name) in files {
        let said = said(file);
        assert!(said.starts_with(&format!("the file is {name}")), "{:?}: {said}", String::from_utf8_lossy(file));
    }
}

#[test]
fn who_has_looked_says_that_every_line_is_a_key_but_not_of_what_is_no_text() {
    let looked = Said { utf8: false, as_lines: true };
    for file in [
        "from: a\nto: b\nsubject: c\n",
        "{\"code\":\"A\"}\n",
        "[\"A\"]\n",
        "<b>A</b>\n",
        "\"A\"\n",
        "a,code\n=\"1\",2\n",
    ] {
        assert!(said(file.as_bytes()).contains("--as-lines (as_lines=true)"), "{file}");
        assert_eq!(judge(file.as_bytes(), looked), Ok(()), "{file}");
    }
    for file in [&b"K-1\nK-2\0\n"[..], b"\x1f\x8b\x08\0\0\0g", b"A\0\n\0", b"K\xff\n", b"A\rB\r", &gbk("魔\n园\n")] {
        let why = judge(file, looked).unwrap_err().0.to_string();
        assert!(!why.contains("--as-lines"), "{why}");
        assert_eq!(why, said(file));
    }
}

#[test]
fn other_encodings_are_called_by_their_names_and_never_for_sure_where_they_could_be_several() {
    let wide = |text: &str, bytes: usize, big: bool| -> Vec<u8> {
        let units = |c: char| match bytes {
            2 => c.encode_utf16(&mut [0; 2]).iter().map(|unit| u32::from(*unit)).collect::<Vec<_>>(),
            _ => vec![u32::from(c)],
        };
        let unit = |n: u32| {
            let unit = n.to_be_bytes()[4 - bytes..].to_vec();
            if big { unit } else { unit.into_iter().rev().collect() }
        };
        text.chars().flat_map(units).flat_map(unit).collect()
    };
    let forms = [("UTF-16LE", 2, false), ("UTF-16BE", 2, true), ("UTF-32LE", 4, false), ("UTF-32BE", 4, true)];
    let long: String = (0..3000).map(|n| format!("😀密{n}\r\n")).collect();
    let one = "卡密一二三四五六七八九十".repeat(20) + "\r\n";
    for (name, bytes, big) in forms {
        for text in ["\u{feff}C-1\r\nC-2\r\n", "C-1\r\nC-2\r\n", "卡密一\r\n卡密二\r\n", "ключ\n", &long, &one]
        {
            let said = said(&wide(text, bytes, big));
            assert!(
                said.contains(&format!("looks like {name}.")) && said.contains(&format!("-f {name} ")),
                "{name}: {said}"
            );
        }
    }
    assert!(said(&wide("卡密", 2, false)).contains("UTF-16 without its mark"), "{}", said(&wide("卡密", 2, false)));
    let mixed = [gbk("普通点卡----K1\r\n"), gbk("魔----K2\r\n"), gbk("高级会员----K3\r\n")].concat();
    for file in [mixed, gbk("卡密一\r\n卡密二\r\n"), encoding_rs::GB18030.encode("㐀㐁----K1\r\n").0.into_owned()]
    {
        assert!(said(&file).contains("looks like GBK (GB18030)"), "{}", said(&file));
    }
    let in_them = |text: &str, encoding: &'static encoding_rs::Encoding| said(&encoding.encode(text).0);
    let files = [
        ("點數卡----K1\n", encoding_rs::BIG5, "Big5"),
        ("遊戲禮包序號----K2\n請於官方網站兌換,有效期限一年----K3\n", encoding_rs::BIG5, "Big5"),
        ("カード----K1\n", encoding_rs::SHIFT_JIS, "Shift-JIS"),
        ("ギフトカード----K1\nシリアル番号:ABC\nこのコードを入力してください\n", encoding_rs::SHIFT_JIS, "Shift-JIS"),
        ("ギフトカード----K1\nシリアル番号:ABC\n", encoding_rs::EUC_JP, "EUC-JP"),
        ("상품권----K1\n기프트카드 번호----K2\n", encoding_rs::EUC_KR, "EUC-KR"),
        ("普通点卡----K1\n高级会员月卡----K2\n激活码请在官网兑换,有效期一年\n", GBK, "GBK (GB18030)"),
        ("clé----K1\nSchlüssel für Größe----K2\n", encoding_rs::WINDOWS_1252, "windows-1252 (Latin-1)"),
        ("Schlüssel-1\nSchlüssel-2\n", encoding_rs::WINDOWS_1252, "windows-1252 (Latin-1)"),
        ("£10-K1\n", encoding_rs::WINDOWS_1252, "windows-1252 (Latin-1)"),
        ("Привет----K1\nКлюч активации----K2\n", encoding_rs::WINDOWS_1251, "windows-1251"),
    ];
    for (text, encoding, name) in files {
        let said = in_them(text, encoding);
        assert!(said.contains(name), "{text} in {name}: {said}");
        // One name alone is the right one.
        assert!(said.contains(" or ") || said.contains(&format!("looks like {name}.")), "{text} in {name}: {said}");
    }
    let damaged = "密码\nK-1\n密码\n".bytes().enumerate().map(|(at, byte)| if at == 1 { b'?' } else { byte });
    assert!(said(&damaged.collect::<Vec<_>>()).contains("no UTF-8 text (line 1)"));
}

#[test]
fn a_file_of_an_old_mac_is_named_and_not_one_long_line() {
    for file in [&b"A-1\rA-2\rA-3"[..], b"A-1\rA-2\r", "\u{feff}密\r密\r".as_bytes(), b"head\nA-1\rA-2\rA-3\r"] {
        assert!(said(file).contains("carriage return alone"), "{}", said(file));
    }
}

/// 682 of the 3,755 everyday hanzi (GB 2312, level 1) are two bytes of UTF-8 in GBK: such words alone are a file that can be
/// read as both. A text of everyday hanzi in UTF-8 never reads as everyday hanzi in GBK.
#[test]
fn what_can_be_read_in_two_ways_is_asked_about() {
    for words in ["魔", "园----CARD-1\r\n省----CARD-2", "楼----K\r\n魔----K\r\n模----K"] {
        let file = gbk(words);
        assert!(std::str::from_utf8(&file).is_ok(), "{words} in GBK happens to be UTF-8");
        assert!(said(&file).contains("as UTF-8 and as GBK"), "{words}: {}", said(&file));
        assert_eq!(judge(&file, Said { utf8: true, as_lines: false }), Ok(()), "somebody knows");
        assert_eq!(said(&[b"\xef\xbb\xbf", &file[..]].concat()), "keys", "the mark says it");
        assert_eq!(said(words.as_bytes()), "keys", "{words} in UTF-8");
    }
    // The other way round: each two everyday hanzi, in UTF-8.
    let level: Vec<char> = (0xb0..=0xd7u8)
        .flat_map(|a| (0xa1..=0xfeu8).map(move |b| [a, b]))
        .filter_map(|pair| GBK.decode_without_bom_handling_and_without_replacement(&pair)?.chars().next())
        .collect();
    assert!(level.len() >= 3755);
    for (at, first) in level.iter().enumerate() {
        for step in [1, 7, 101, 1009] {
            let word = format!("{first}{}----K-1\n", level[(at * step + step) % level.len()]);
            assert_eq!(said(word.as_bytes()), "keys", "{word}");
        }
    }
    // Too much of it for chance: nobody writes with so few hanzi for so long.
    let much: String = ('é'..='ý').map(|c| format!("{c}----K\n")).collect();
    assert_eq!(said(much.as_bytes()), "keys");
}

#[test]
fn a_file_is_judged_the_same_in_whatever_pieces_it_comes() {
    let long = format!("{}\n密{}\n", "密".repeat(200_000), "A".repeat(300_000));
    let broken = [long.as_bytes(), b"\xff\n"].concat();
    for (file, lines) in [(long.as_bytes(), 2), (&broken[..], 3), (b"A\nB", 2), (b"\n", 1), (b"", 0)] {
        let whole = judge(file, Said::default()).map_err(|(why, _)| why);
        for size in [1, 3, 1000, 131_073] {
            if size < 1000 && file.len() > 1000 {
                continue;
            }
            let mut sheet = Sheet::default();
            file.chunks(size).for_each(|piece| sheet.feed(piece));
            assert_eq!(sheet.lines(), lines);
            assert_eq!(sheet.judge(Said::default()), whole, "in pieces of {size}");
        }
    }
    assert!(said(&broken).contains("line 3"));
}
