use super::*;
use encoding_rs::GBK;

fn gbk(text: &str) -> Vec<u8> {
    GBK.encode(text).0.into_owned()
}

fn said(file: &[u8]) -> String {
    match judge(file, false) {
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
        "A-1\rA-2\r",
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
    ];
    for file in files {
        assert_eq!(said(file.as_bytes()), "keys", "{file:?}");
    }
}

#[test]
fn documents_are_called_by_their_names() {
    let files: [(&[u8], &str); 28] = [
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
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a file of certificates"),
    ];
    for (file, name) in files {
        let said = said(file);
        assert!(said.starts_with(&format!("the file is {name}")), "{:?}: {said}", String::from_utf8_lossy(file));
    }
}

#[test]
fn other_encodings_are_called_by_their_names() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let swapped = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let mixed = [gbk("普通点卡----K1\r\n"), gbk("魔----K2\r\n"), gbk("高级会员----K3\r\n")].concat();
    for (file, looks) in [
        (utf16("\u{feff}C-1\r\nC-2\r\n"), "UTF-16LE"),
        (swapped("\u{feff}C-1\r\nC-2\r\n"), "UTF-16BE"),
        (utf16("C-1\r\nC-2\r\n"), "UTF-16LE"),
        (swapped("C-1\r\nC-2\r\n"), "UTF-16BE"),
        (utf16("卡密一\r\n卡密二\r\n"), "UTF-16LE"),
        (mixed, "GBK"),
        (gbk("卡密一\r\n卡密二\r\n"), "GBK"),
    ] {
        let said = said(&file);
        assert!(said.contains(&format!("looks like {looks}")), "{said}");
    }
    let damaged = "密码\nK-1\n密码\n".bytes().enumerate().map(|(at, byte)| if at == 1 { b'?' } else { byte });
    assert!(said(&damaged.collect::<Vec<_>>()).contains("no UTF-8 text (line 1)"));
}

/// 682 of the 3,755 everyday hanzi (GB 2312, level 1) are two bytes of UTF-8 in GBK: such words alone are a file that can be
/// read as both. A text of everyday hanzi in UTF-8 never reads as everyday hanzi in GBK.
#[test]
fn what_can_be_read_in_two_ways_is_asked_about() {
    for words in ["魔", "园----CARD-1\r\n省----CARD-2", "楼----K\r\n魔----K\r\n模----K"] {
        let file = gbk(words);
        assert!(std::str::from_utf8(&file).is_ok(), "{words} in GBK happens to be UTF-8");
        assert!(said(&file).contains("as UTF-8 and as GBK"), "{words}: {}", said(&file));
        assert_eq!(judge(&file, true), Ok(()), "somebody knows");
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
        let whole = judge(file, false).map_err(|(why, _)| why);
        for size in [1, 3, 1000, 131_073] {
            if size < 1000 && file.len() > 1000 {
                continue;
            }
            let mut sheet = Sheet::default();
            file.chunks(size).for_each(|piece| sheet.feed(piece));
            assert_eq!(sheet.lines(), lines);
            assert_eq!(sheet.judge(false), whole, "in pieces of {size}");
        }
    }
    assert!(said(&broken).contains("line 3"));
}
