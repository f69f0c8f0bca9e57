//! A terminal that is not one of UTF-8 is shown plain characters alone; one that is, everything.

use std::process::{Command, Output, Stdio};

use crate::support::shop::Daemon;

/// What the environment sets of it.
type Locale<'a> = &'a [(&'a str, &'a str)];

fn under(shop: &Daemon, locale: Locale<'_>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    for name in ["LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    command.envs(locale.iter().copied()).args(args).arg("--data").arg(&shop.data);
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(shop: &Daemon, locale: Locale<'_>, args: &[&str]) -> String {
    let done = under(shop, locale, args);
    assert!(done.status.success(), "{locale:?} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_locale_says_which_characters_and_which_language() {
    let shop = Daemon::start("");
    shop.product("steam-ten", &["--name", "奈飞一个月 · 4K"], 5);
    let id = shop.order("steam-ten", 1).await;
    let plain: [Locale; 5] = [
        &[],
        &[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")],
        &[("LC_CTYPE", "POSIX"), ("LANG", "C.UTF-8")],
        &[("LANG", "zh_CN.GBK")],
        &[("LANG", "zh_CN")],
    ];
    for locale in plain {
        for tab in ["1", "2", "6", "8"] {
            let picture = text(&shop, locale, &["top", "--once", "--size", "120x40", "--tab", tab]);
            assert!(picture.is_ascii(), "{locale:?}: {picture}");
            assert!(picture.contains("Overview") && picture.contains("+--"), "{locale:?}: {picture}");
            assert!(picture.lines().all(|line| line.len() <= 120), "{picture}");
        }
        // Our own signs are plain; what is foreign stays whole for whoever reads the pipe.
        let table = text(&shop, locale, &["order", "show", &id]);
        assert!(table.is_ascii(), "{locale:?}: {table}");
        let table = text(&shop, locale, &["product", "list"]);
        assert!(table.contains("奈飞一个月 · 4K"), "{table}");
        let table = text(&shop, locale, &["product", "list", "--ascii"]);
        assert!(table.is_ascii() && table.contains("????? . 4K"), "{table}");
    }
    let rich: [(Locale, &[&str], &str); 6] = [
        (&[("LC_ALL", "zh_CN.UTF-8")], &[], "总览"),
        (&[("LC_CTYPE", "en_US.utf8"), ("LANG", "C")], &[], "Overview"),
        (&[("LANG", "C.UTF-8"), ("LC_MESSAGES", "zh_CN.UTF-8")], &[], "总览"),
        (&[("LC_ALL", "C")], &["--ascii=never"], "Overview"),
        // Who asks for Chinese has a terminal for it.
        (&[("LC_ALL", "C")], &["--lang", "zh"], "总览"),
        (&[("LC_ALL", "C.UTF-8")], &["--lang", "en"], "Overview"),
    ];
    for (locale, more, shown) in rich {
        let picture = text(&shop, locale, &[&["top", "--once", "--size", "120x40"], more].concat());
        assert!(picture.contains(shown) && picture.contains('┌'), "{locale:?} {more:?}: {picture}");
    }
    // A picture of its own is no terminal's affair.
    assert!(text(&shop, &[("LC_ALL", "C")], &["top", "--once", "--svg", "--tab", "2"]).contains("奈飞"));
    let forced = text(&shop, &[("LC_ALL", "zh_CN.UTF-8")], &["top", "--once", "--ascii"]);
    assert!(forced.is_ascii() && forced.contains("Overview"), "{forced}");
    let both = under(&shop, &[], &["top", "--once", "--ascii", "--lang", "zh"]);
    assert_eq!(both.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_as_it_is_sold() {
    let shop = Daemon::start("");
    shop.product("signs", &[], 0);
    let done = shop.json(&["keys", "import", "signs", "-"], "ключ→· 卡密 × 1\n");
    assert_eq!(done["imported"], 1, "{done}");
    let id = shop.order("signs", 1).await;
    assert_eq!(shop.pay(&id, "K1", 990).await.0, 200);
    for switch in ["--ascii", "--ascii=auto", "--ascii=never"] {
        let shown = text(&shop, &[("LC_ALL", "C")], &["order", "show", &id, "--keys", switch]);
        assert!(shown.contains("ключ→· 卡密 × 1"), "{switch}: {shown}");
    }
}
