//! `kamid channel add`: at a terminal, and by flags.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::whole::{ordered, settings};
use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Gateway, SECRET};
use crate::support::seat::Seat;
use crate::support::shop::Daemon;

const KAMID: &str = env!("CARGO_BIN_EXE_kamid");
const BEFORE: &str = "# the shop's own file\n[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"  # kept\n\n\
                      [channel.old]\nkind = \"sandbox\"\nkey_env = \"PATH\"";

/// The wizard at a terminal, in the language of that locale.
fn wizard(locale: &str, data: &Path, args: &[&str]) -> Seat {
    let (locale, data) = (format!("LC_ALL={locale}"), data.display().to_string());
    Seat::take(Path::new("/usr/bin/env"), &[&[&locale, KAMID, "channel", "add", "--data", &data], args].concat())
}

/// Waits for a question and answers it.
fn answer(seat: &mut Seat, asked: &str, text: &str) {
    seat.shows(&[asked]);
    seat.types(&format!("{text}\r"));
}

/// The command without a terminal, its words separated by blanks.
fn add(data: &Path, words: &str) -> (Option<i32>, String, String) {
    add_in("C.UTF-8", data, words)
}

/// The same in the language of that locale.
fn add_in(locale: &str, data: &Path, words: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(KAMID);
    command.env("LC_ALL", locale);
    command.args(["channel", "add", "--data"]).arg(data).args(words.split_whitespace()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn names(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_was_added_at_a_terminal_takes_an_order() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = Daemon::at(&data, "# a comment of mine\n");
    shop.product("card", &[], 5);
    let file = data.join("config.toml");
    let before = std::fs::read_to_string(&file).unwrap();

    let mut seat = wizard("en_US.UTF-8", &data, &[]);
    seat.shows(&["epay_v1", "tokenpay"]);
    answer(&mut seat, "kind (number or name):", "99");
    answer(&mut seat, "is not a kind", "1");
    answer(&mut seat, "name (a-z", "pay");
    answer(&mut seat, "there is such a channel already", "gate");
    answer(&mut seat, "the gateway's address, such as", "pay.example");
    seat.shows(&["gateway_url: must begin with https://"]);
    answer(&mut seat, "gateway_url:", &gateway.url);
    answer(&mut seat, "pid:", "");
    answer(&mut seat, "this one is needed", "1001");
    answer(&mut seat, "key (not shown):", SECRET);
    answer(&mut seat, "pay_type:", "");
    seat.shows(&["gateway: ok: it answers", "kamid channel test gate", "/pay/gate/notify"]);
    let (code, text) = seat.end();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains(SECRET), "{text}");

    let after = std::fs::read_to_string(&file).unwrap();
    let section = after.strip_prefix(&before).expect("everything else is kept");
    let url = &gateway.url;
    let wanted = format!(
        "\n[channel.gate]\nkind = \"epay_v1\"\ngateway_url = \"{url}\"\npid = \"1001\"\nkey_file = \"gate.key\"\n"
    );
    assert_eq!(section, wanted);
    let secret = data.join("gate.key");
    assert_eq!((std::fs::read_to_string(&secret).unwrap().as_str(), mode(&secret)), (SECRET, 0o600));
    // The daemon reads it, and sells through it.
    assert!(shop.stop());
    shop.run();
    let (id, number) = ordered(&shop).await;
    gateway.pay(&number);
    assert_eq!(gateway.call_back(&number).await.0, 200);
    assert_eq!(shop.state(&id).await, "delivered");
    let tried = shop.cli(&["channel", "test", "gate", "--json"], "");
    let tried: Value = serde_json::from_slice(&tried.stdout).unwrap();
    let last = tried["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["step"], &last["result"]), (&"gateway".into(), &"ok".into()), "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_chinese_and_says_at_once_which_key_is_the_wrong_one() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::WeChat).await;
    let keys = folder.path().join("keys");
    let _section = settings(&gateway, &keys);
    let path = |name: &str| keys.join(name).display().to_string();
    std::fs::write(keys.join("own.pub"), gateway.merchant.public()).unwrap();
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("config.toml"), BEFORE).unwrap();

    // A console that gives the secret for an address is told of before the secret is asked for. Ctrl-D is an end, too.
    let mut seat = wizard("zh_CN.UTF-8", &data, &["card", "--kind", "stripe"]);
    seat.shows(&["/pay/card/notify", "添加为端点", "api_key(不显示):"]);
    seat.types("\x04");
    assert_eq!(seat.end().0, 130);
    // Ctrl-C where a secret is asked for: nothing is written, and the terminal echoes again.
    let mut seat = wizard("zh_CN.UTF-8", &data, &["wechat", "--kind", "wechat_v3", "--offline"]);
    answer(&mut seat, "商户号", "1900000001");
    answer(&mut seat, "appid:", "wx0000000000000001");
    seat.shows(&["apiv3_key(不显示):"]);
    seat.types("\x03");
    let (code, text) = seat.end();
    assert!(code == 130 && text.contains("已中断"), "{code}: {text}");
    assert_eq!(
        (names(&data), std::fs::read_to_string(data.join("config.toml")).unwrap().as_str()),
        (vec!["config.toml".to_owned()], BEFORE)
    );

    let mut seat = wizard("zh_CN.UTF-8", &data, &["wechat", "--kind", "wechat_v3", "--offline"]);
    answer(&mut seat, "mchid:", "1900000001");
    answer(&mut seat, "appid:", "wx0000000000000001");
    answer(&mut seat, "apiv3_key(不显示):", "too short");
    answer(&mut seat, "apiv3_key: 必须是 32 个字符", SECRET);
    answer(&mut seat, "证书序列号", "ABCDEF01");
    answer(&mut seat, "merchant_private_key(文件路径):", &path("nowhere.pem"));
    seat.shows(&["没有这个文件"]);
    answer(&mut seat, "merchant_private_key(文件路径):", &path("merchant.key"));
    answer(&mut seat, "mode (public_key | platform_cert) [public_key]:", "");
    answer(&mut seat, "platform_public_key(文件路径):", &path("own.pub"));
    answer(&mut seat, "platform_public_key_id:", "PUB_KEY_ID_0100");
    seat.shows(&["platform_public_key: 这是你自己的公钥"]);
    seat.types(&format!("{}\r", path("platform.pub")));
    answer(&mut seat, "pay (native | h5) [native]:", "");
    seat.shows(&["已写入:", "通知地址:", "后台无须填写", "重启守护进程"]);
    let (code, text) = seat.end();
    assert_eq!(code, 0, "{text}");
    let whole = std::fs::read_to_string(data.join("config.toml")).unwrap();
    assert!(
        whole.starts_with(BEFORE) && whole.contains("platform_public_key_file = \"wechat.platform_public_key\""),
        "{whole}"
    );
    let files = ["config.toml", "wechat.apiv3_key", "wechat.merchant_private_key", "wechat.platform_public_key"];
    assert_eq!(names(&data), files);
    let checked = Command::new(KAMID).args(["config", "check", "--data"]).arg(&data).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

/// A data directory with a configuration, and a file with the secret beside it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::Builder::new().prefix("k").tempdir().unwrap());
        std::fs::create_dir(folder.data()).unwrap();
        std::fs::write(folder.config(), BEFORE).unwrap();
        std::fs::write(folder.key(), format!("{SECRET}\n")).unwrap();
        folder
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("d")
    }

    fn config(&self) -> PathBuf {
        self.data().join("config.toml")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("the.key")
    }

    /// The words that add a channel of epay's at that gateway.
    fn epay(&self, name: &str, gateway: &str) -> String {
        let key = self.key().display().to_string();
        format!("{name} --kind epay_v1 --set gateway_url={gateway} --set pid=1001 --secret-file key={key}")
    }
}

#[test]
fn everything_that_is_missing_or_wrong_is_told_and_nothing_is_written() {
    let folder = Folder::new();
    let data = folder.data();
    let (code, _, error) = add(&data, "pay --kind epay_v1 --set gateway_url=pay.example");
    assert_eq!(code, Some(64), "{error}");
    for part in ["--set pid=", "--secret-file key=PATH", "channel.pay.gateway_url: must begin with https://"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    let right = folder.epay("pay", "http://127.0.0.1:1");
    for (words, code, part) in [
        ("pay", 64, "--kind"),
        ("pay --kind sandbox", 2, "epay_v1"),
        ("Pay! --kind epay_v1", 64, "is no name"),
        ("old --kind epay_v1", 64, "there is such a channel"),
        ("pay --kind epay_v1 --set key=PLAIN", 64, "--secret-file key=PATH"),
        ("pay --kind epay_v1 --secret-file key=/nowhere", 64, "key: names no file that is there"),
        ("pay --kind alipay --set pay=coins", 64, "one of page wap qr"),
        (&format!("{right} --set pidd=1"), 64, "did you mean pid"),
        (&format!("{right} --set confirm=perhaps"), 64, "channel.pay.confirm: must be true or false"),
    ] {
        let (status, _, error) = add(&data, words);
        assert!(status == Some(code) && error.contains(part) && !error.contains("PLAIN"), "{words}: {error}");
    }
    let (code, shown, _) = add(&data, &format!("{right} --dry-run"));
    assert!(code == Some(0) && shown.contains("key_file = \"pay.key\"") && !shown.contains(SECRET), "{shown}");
    assert_eq!(names(&data), ["config.toml"]);
    assert_eq!(std::fs::read_to_string(folder.config()).unwrap(), BEFORE);
}

#[test]
fn flags_are_answered_in_chinese_where_that_is_the_language() {
    let folder = Folder::new();
    let data = folder.data();
    let right = folder.epay("pay", "http://127.0.0.1:1") + " --offline";
    let mut told = Vec::new();
    for (words, code, part) in [
        ("pay", 64, "缺少渠道名称和 --kind"),
        ("Pay! --kind epay_v1", 64, "不能作名称"),
        ("old --kind epay_v1", 64, "已有这个名称的渠道"),
        ("pay --kind epay_v1", 64, "缺少: --set gateway_url=…"),
        ("pay --kind epay_v1 --set key=PLAIN", 64, "key: 请用 --secret-file key=PATH"),
        ("pay --kind epay_v1 --secret-file key=/nowhere", 64, "key: 没有这个文件"),
        ("pay --kind alipay --set pay=coins", 64, "pay: 只能是 page wap qr"),
        (&format!("{right} --set pidd=1"), 64, "channel.pay.pidd: 没有这个设置项,是不是 pid"),
        (&format!("{right} --set confirm=perhaps"), 64, "channel.pay.confirm: 必须是 true 或 false"),
        (&format!("{right} --set max_body_bytes=1"), 64, "channel.pay.max_body_bytes: 必须是整数,范围"),
        (&format!("{right} --dry-run"), 0, "没有写入"),
        (&right, 0, "已写入:"),
    ] {
        let (status, shown, error) = add_in("zh_CN.UTF-8", &data, words);
        assert!(status == Some(code) && (shown.clone() + &error).contains(part), "{words}: {shown}{error}");
        if code == 64 {
            told.push(error);
        }
    }
    let english = ["nothing was written", "missing", "one of", "give ", "must be", "is not"];
    let left: Vec<_> = told.iter().filter(|error| english.iter().any(|words| error.contains(words))).collect();
    assert!(left.is_empty(), "{left:?}");
    // What is there already is not overwritten, and that is said in Chinese too.
    std::fs::write(data.join("two.key"), "another").unwrap();
    let two = folder.epay("two", "http://127.0.0.1:1") + " --offline";
    let (status, _, error) = add_in("zh_CN.UTF-8", &data, &two);
    assert!(status == Some(1) && error.contains("已存在,什么都没有写入"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_add_a_channel_and_overwrite_nothing_unasked() {
    let folder = Folder::new();
    let (data, file) = (folder.data(), folder.config());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let right = folder.epay("pay", &gateway.url) + " --set retired=true";
    std::fs::write(data.join("pay.key"), "another").unwrap();
    let (code, _, error) = add(&data, &right);
    assert!(code == Some(1) && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read_to_string(data.join("pay.key")).unwrap(), "another");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), BEFORE);

    let (code, report, error) = add(&data, &format!("{right} --force --json"));
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{error}"));
    let told = (code, &report["gateway"]["result"], &report["written"]);
    assert_eq!(told, (Some(0), &"ok".into(), &true.into()), "{report}");
    assert!(report["notify_url"].as_str().unwrap().ends_with("/pay/pay/notify"), "{report}");
    assert!(!report.to_string().contains(SECRET));
    let whole = std::fs::read_to_string(&file).unwrap();
    for part in [BEFORE, "pid = \"1001\"\n", "retired = true\n"] {
        assert!(whole.contains(part), "{whole}");
    }
    assert!(whole.starts_with(BEFORE));
    assert_eq!((mode(&file), mode(&data.join("pay.key"))), (0o640, 0o600));
    assert_eq!(names(&data), ["config.toml", "pay.key"]);

    // A gateway that is down: written all the same, and told.
    let down = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (code, shown, _) = add(&data, &folder.epay("two", &format!("http://{down}")));
    assert!(code == Some(1) && shown.contains("nothing listens at the gateway's address"), "{shown}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("[channel.two]"));
    let offline = folder.epay("three", &format!("http://{down}")) + " --offline";
    assert_eq!(add(&data, &offline).0, Some(0));
    // Where there is no configuration yet, one begins.
    let fresh = folder.0.path().join("fresh");
    assert_eq!(add(&fresh, &offline).0, Some(0));
    assert!(std::fs::read_to_string(fresh.join("config.toml")).unwrap().starts_with("[channel.three]\n"));
}

/// The text of a key where its path belongs is not shown, whichever way it was given.
#[test]
fn a_key_in_the_place_of_its_path_is_not_told() {
    let folder = Folder::new();
    let (data, secret) = (folder.data(), "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h");
    let rest = "--kind epay_v1 --set gateway_url=http://127.0.0.1:1/ --set pid=1001 --offline";
    for given in [format!("--secret-file key={secret}"), format!("--set key_file={secret}")] {
        let (code, shown, error) = add(&data, &format!("pay {rest} {given}"));
        assert!(code == Some(64) && !shown.contains(secret) && !error.contains(secret), "{given}: {shown}{error}");
    }
    // As the section names it: the file of key.
    let file = folder.key().display().to_string();
    let (code, shown, error) = add(&data, &format!("pay {rest} --secret-file key_file={file}"));
    assert!(code == Some(0) && !shown.contains(secret), "{shown}{error}");
    std::fs::write(data.join("wrong.toml"), format!("[channel.a]\nkind = \"epay_v1\"\nkey_file = \"{secret}\"\n"))
        .unwrap();
    let checked =
        Command::new(KAMID).args(["config", "check", "--config"]).arg(data.join("wrong.toml")).output().unwrap();
    let told = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(told.contains("line 3: channel.a.key_file: names no file") && !told.contains(secret), "{told}");
}

/// One row, one check: the command and the configuration say the same of a currency.
#[test]
fn a_currency_is_judged_by_its_row_wherever_it_is_written() {
    let folder = Folder::new();
    let (data, key) = (folder.data(), folder.key().display().to_string());
    for (fiat, code, said) in [
        ("CNY", 0, ""),
        ("JPY", 0, ""),
        ("KRW", 0, "is none that the gateway converts by itself (CNY, USD, EUR, GBP, JPY)"),
        ("usd", 64, "channel.coins.fiat: must be three capital letters"),
        ("US", 64, "channel.coins.fiat: must be three capital letters"),
        ("EURO", 64, "channel.coins.fiat: must be three capital letters"),
    ] {
        let words = "coins --kind bepusdt --set gateway_url=https://pay.example --set trade_type=usdt.trc20";
        let words = format!("{words} --secret-file api_token={key} --set fiat={fiat} --offline --dry-run --json");
        let (asked, shown, error) = add(&data, &words);
        let told = shown + &error;
        let file = data.join("coins.toml");
        let section = "[channel.coins]\nkind = \"bepusdt\"\ngateway_url = \"https://pay.example\"\n";
        std::fs::write(&file, format!("{section}api_token_file = \"{key}\"\nfiat = \"{fiat}\"\n")).unwrap();
        let checked = Command::new(KAMID).args(["config", "check", "--config"]).arg(&file).output().unwrap();
        let written = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert_eq!((asked, checked.status.code()), (Some(code), Some(code)), "{fiat}: {told}{written}");
        assert!(told.contains(said) && written.contains(said), "{fiat}: {told}{written}");
        assert!(!said.is_empty() || !(told.clone() + &written).contains("fiat:"), "{fiat}: {told}{written}");
    }
}
