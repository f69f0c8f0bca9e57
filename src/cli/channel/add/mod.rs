//! `kamid channel add`: a channel's settings are asked for, or given as flags; checked without and with its gateway;
//! written.

mod answers;
mod files;
mod prompt;
mod words;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use self::answers::{Answers, GivenAnswer, asked, read};
use self::files::ConfigTarget;
use self::prompt::Person;
use crate::channel::{Channels, KINDS, Kind};
use crate::cli::config::wrong;
use crate::cli::{Context, Done, Failure};
use crate::config::is_name;
use crate::domain::Lang;
use crate::domain::TrialStep;
use crate::outbound::Outbound;
use crate::process;
use crate::settings::{ConfigProblem, Form, Setting};
use crate::shop::payments::trial::call_gateway;
use crate::top;

pub const EXAMPLES: &str = "Examples:
  kamid channel add
  kamid channel add pay --kind epay_v1 --set gateway_url=https://pay.example/ --set pid=1001 --secret-file key=epay.key
  kamid channel add wechat --kind wechat_v3 --set mchid=1900000001 … --secret-file apiv3_key=apiv3.txt --dry-run
At a terminal everything is asked for, in the language of LANG, and a wrong answer is said at once. With --set or
--secret-file, or without a terminal, nothing is asked. Files are copied beside the configuration as <name>.<key>, mode
0600; the section is added at its end, and the daemon must be restarted.
Exit code 64 if the configuration could not be used (nothing is written), 1 if the gateway does not answer as it should
(everything is written), 130 after Ctrl-C (nothing is written).";

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Its name: 1 to 32 of a-z, 0-9, - and _
    name: Option<String>,
    /// Its kind, as kamid channel kinds explains them
    #[arg(long, value_parser = PossibleValuesParser::new(kinds().map(|kind| kind.name)))]
    kind: Option<String>,
    /// A setting; any that the kind has
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// A setting out of a file: a secret, a key, certificates
    #[arg(long, visible_alias = "file", value_name = "KEY=PATH", value_parser = filed)]
    secret_file: Vec<(String, String)>,
    /// Overwrite files of an earlier channel of that name
    #[arg(long)]
    force: bool,
    /// Do not ask the gateway
    #[arg(long)]
    offline: bool,
    /// Check, print the section, and write nothing
    #[arg(long)]
    dry_run: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn filed(text: &str) -> Result<(String, String), String> {
    pair(text).map_err(|_| "KEY=PATH".to_owned())
}

fn unusable(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), code: 64 }
}

pub async fn run(context: &Context, args: AddArgs) -> Done {
    let lang = top::language();
    let target = ConfigTarget::of(context)?;
    let asks = args.set.is_empty() && args.secret_file.is_empty() && !context.out.json;
    let here = if asks { Person::here(lang) } else { Ok(None) };
    let mut person = here.map_err(|error| Failure::new(error.to_string()))?;
    let answers = match &mut person {
        Some(person) => wizard(person, &args, &target).await?,
        None => given(&args, &target, lang)?,
    };
    let section = answers.toml();
    let whole = target.with(&section)?;
    let mut sections = target.config.channels.clone();
    sections.push((answers.name.clone(), answers.section()));
    let channels =
        Channels::build(&sections, target.config.test, process::now()).map_err(|problems| wrong(&problems))?;
    let of_this = |problem: &&ConfigProblem| problem.path.starts_with(&format!("channel.{}.", answers.name));
    let warnings: Vec<&ConfigProblem> = channels.warnings.iter().filter(of_this).collect();
    let mut report = json!({
        "channel": answers.name, "kind": answers.kind.name, "config": target.path.display().to_string(),
        "written": false, "section": section, "files": [], "warnings": warnings,
    });
    if args.dry_run {
        show(context, lang, &report, None);
        return Ok(ExitCode::SUCCESS);
    }
    let taken = target.taken(&answers);
    if !taken.is_empty() && !args.force {
        let names: Vec<String> = taken.iter().map(|path| path.display().to_string()).collect();
        let names = names.join(", ");
        let over = match &mut person {
            Some(person) => {
                let question = lang.say("exists: overwrite?", "已存在:要覆盖吗?");
                person.agrees(&format!("{names}: {question}")).await?
            }
            None => false,
        };
        if !over {
            let exists = lang
                .say("exists, and nothing was written; --force overwrites it", "已存在,什么都没有写入;--force 可覆盖");
            return Err(Failure::new(format!("{names}: {exists}")));
        }
    }
    let written = target.write(&answers, &whole, lang)?;
    report["files"] = written.iter().map(|path| json!(path.display().to_string())).collect();
    report["written"] = json!(true);
    add_what_is_next(&mut report, &answers, &target, lang);
    let checked = if args.offline { None } else { Some(check(&answers, &target, &channels, lang).await?) };
    report["gateway"] = json!(checked);
    show(context, lang, &report, checked.as_ref());
    Ok(ExitCode::from(u8::from(checked.is_some_and(|step| step.result == "failed"))))
}

/// Asks the gateway about a number that it cannot know.
async fn check(
    answers: &Answers,
    target: &ConfigTarget,
    channels: &Channels,
    lang: Lang,
) -> Result<TrialStep, Failure> {
    let outbound = Outbound::build(&target.config.outbound).map_err(|problem| wrong(&[problem]))?;
    let channel = channels.get(&answers.name).ok_or_else(|| Failure::new("there is no channel"))?;
    tokio::select! {
        step = call_gateway(&outbound, channel.as_ref(), process::now) => Ok(step),
        _ = tokio::signal::ctrl_c() => {
            let message = lang.say("the channel is written; its gateway was not asked", "渠道已写入;没有询问网关");
            Err(Failure { message: message.to_owned(), code: 130 })
        }
    }
}

/// The kinds that can be added: test mode has the others by itself.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| !kind.test_only)
}

fn kind_of(word: &str) -> Result<&'static Kind, Failure> {
    kinds().find(|kind| kind.name == word).ok_or_else(|| {
        let known: Vec<&str> = kinds().map(|kind| kind.name).collect();
        unusable(format!("{word:?} is not a kind that can be added; one of {}", known.join(", ")))
    })
}

/// Why a channel cannot be called so, in that language.
fn bad_name(name: &str, target: &ConfigTarget, lang: Lang) -> Option<String> {
    if !is_name(name) {
        let rule = lang.say("is no name: 1 to 32 of a-z, 0-9, - and _", "不能作名称:1 到 32 个 a-z、0-9、- 和 _");
        return Some(format!("{name:?} {rule}"));
    }
    let there = lang.say("there is such a channel already", "已有这个名称的渠道");
    target.has(name).then(|| format!("{name}: {there}"))
}

/// The answers as flags give them.
fn given(args: &AddArgs, target: &ConfigTarget, lang: Lang) -> Result<Answers, Failure> {
    let (Some(name), Some(word)) = (&args.name, &args.kind) else {
        return Err(unusable(lang.say(
            "missing: the channel's NAME and --kind KIND (kamid channel kinds lists them)",
            "缺少渠道名称和 --kind 种类(kamid channel kinds 列出种类)",
        )));
    };
    let kind = kind_of(word)?;
    if let Some(why) = bad_name(name, target, lang) {
        return Err(unusable(why));
    }
    let (mut answers, mut wrong) = (Answers::new(name, kind), Vec::new());
    let asked = |key: &str| asked(kind).find(|row| row.key == key);
    for (key, text) in &args.set {
        let elsewhere = key.strip_suffix("_file").unwrap_or(key);
        match asked(key).or_else(|| asked(elsewhere)) {
            Some(row) if row.form.is_filed() => {
                wrong.push(format!("{key}: {} --secret-file {}=PATH", lang.say("give", "请用"), row.key));
            }
            Some(row) => match read(row, text) {
                Ok(Some(given)) => answers.give(key, given),
                Ok(None) => {}
                Err(words) => wrong.push(format!("{key}: {} {words}", lang.say("one of", "只能是"))),
            },
            None => answers.give(key, GivenAnswer::Value(text.parse().unwrap_or_else(|_| text.as_str().into()))),
        }
    }
    for (key, path) in &args.secret_file {
        // As the section will name it: key_file is the file of key.
        let key = key.strip_suffix("_file").unwrap_or(key);
        match GivenAnswer::file(path) {
            Ok(given) => answers.give(key, given),
            Err(why) => wrong.push(format!("{key}: {}", words::said(asked(key), &why, lang))),
        }
    }
    fill_in(&mut answers, &mut wrong, lang);
    // Of what is missing the kind would say once more that it is.
    let is_ours = |problem: &&ConfigProblem| answers.blamed(problem).is_some() || answers.is_unasked(problem);
    let problems = answers.problems();
    wrong.extend(
        problems.iter().filter(|it| !it.warning).filter(is_ours).map(|problem| answers.sentence(problem, lang)),
    );
    if wrong.is_empty() {
        Ok(answers)
    } else {
        let nothing = lang.say("nothing was written:", "什么都没有写入:");
        Err(unusable(format!("{nothing}\n  {}", wrong.join("\n  "))))
    }
}

/// Gives what has a default, and says what is still missing.
fn fill_in(answers: &mut Answers, wrong: &mut Vec<String>, lang: Lang) {
    for row in asked(answers.kind) {
        let known = wrong.iter().any(|line| line.starts_with(&format!("{}: ", row.key)));
        if known || answers.has(row.key) || !answers.wants(row) {
            continue;
        }
        match read(row, "") {
            Ok(Some(given)) => answers.give(row.key, given),
            _ if !row.needed => {}
            _ => {
                let flag = if row.form.is_filed() { "--secret-file" } else { "--set" };
                let what = if row.form.is_filed() { "PATH" } else { "…" };
                let (missing, about) = (lang.say("missing:", "缺少:"), row.help.say(lang));
                wrong.push(format!("{missing} {flag} {}={what} ({about})", row.key));
            }
        }
    }
}

/// The answers of a person at a terminal.
async fn wizard(person: &mut Person, args: &AddArgs, target: &ConfigTarget) -> Result<Answers, Failure> {
    let lang = person.lang;
    let kind = match &args.kind {
        Some(word) => kind_of(word)?,
        None => pick(person).await?,
    };
    let name = match &args.name {
        Some(name) => bad_name(name, target, lang).map_or_else(|| Ok(name.clone()), |why| Err(unusable(why)))?,
        None => loop {
            let name = person.answers(lang.say("name (a-z, 0-9, -, _):", "名称(a-z、0-9、-、_):"), false).await?;
            match bad_name(&name, target, lang) {
                Some(why) => person.hears(&why),
                None => break name.to_string(),
            }
        },
    };
    // Some consoles give a secret only for an address that was put in.
    if let Some(console) = kind.console {
        let url = notify_url(&name, target);
        person.hears(&format!("\n{} {url}\n  {}", lang.say("notify address:", "通知地址:"), console.say(lang)));
    }
    let mut answers = Answers::new(&name, kind);
    let mut left_out: Vec<&str> = Vec::new();
    let open = |answers: &Answers, left_out: &[&str]| {
        let open = |row: &&Setting| answers.wants(row) && !answers.has(row.key) && !left_out.contains(&row.key);
        asked(kind).find(open)
    };
    while let Some(row) = open(&answers, &left_out) {
        let hidden = row.form.is_secret() && !row.form.is_file();
        let text = person.answers(&question(row, lang), hidden).await?;
        match read(row, &text) {
            Ok(Some(given)) => answers.give(row.key, given),
            Ok(None) if !row.needed => left_out.push(row.key),
            Ok(None) => person.hears(lang.say("  this one is needed", "  此项必填")),
            Err(why) if matches!(row.form, Form::Choice(_)) => {
                person.hears(&format!("  {} {why}", lang.say("one of:", "只能是:")));
            }
            Err(why) => person.hears(&format!("  {}", words::said(Some(row), &why, lang))),
        }
        if !answers.has(row.key) {
            continue;
        }
        // What is wrong is asked again, also where only a later answer showed it.
        for problem in answers.problems() {
            match answers.blamed(&problem) {
                Some(wrong) if !problem.warning => {
                    person.hears(&format!("  {}: {}", wrong.key, words::said(Some(wrong), &problem.message, lang)));
                    answers.forget(wrong.key);
                }
                Some(other) if other.key == row.key => {
                    person.hears(&format!("  {}", words::said(Some(row), &problem.message, lang)));
                }
                _ => {}
            }
        }
    }
    Ok(answers)
}

/// A question: what it is, then the setting's name, and what may be answered.
fn question(row: &Setting, lang: Lang) -> String {
    let hint = match row.form {
        Form::Choice(words) => format!(" ({})", words.join(" | ")),
        form if form.is_file() => lang.say(" (path of the file)", "(文件路径)").to_owned(),
        form if form.is_secret() => lang.say(" (not shown)", "(不显示)").to_owned(),
        _ => String::new(),
    };
    let default = row.default.map(|word| format!(" [{word}]")).unwrap_or_default();
    format!("\n{}\n{}{hint}{default}:", row.help.say(lang), row.key)
}

/// Which kind, out of a list.
async fn pick(person: &mut Person) -> Result<&'static Kind, Failure> {
    let kinds: Vec<&Kind> = kinds().collect();
    // A line each, so that all are in sight; `kamid channel kinds` says more.
    let list = |person: &mut Person| {
        for (at, kind) in kinds.iter().enumerate() {
            let about = kind.about.split(':').next().unwrap_or_default();
            person.hears(&format!("{:>3}  {:<18} {about}", at + 1, kind.name));
        }
    };
    list(person);
    loop {
        let answer = person.answers(person.lang.say("kind (number or name):", "种类(编号或名称):"), false).await?;
        let number = answer.parse::<usize>().ok().and_then(|number| kinds.get(number.checked_sub(1)?).copied());
        match number.map_or_else(|| kind_of(&answer), Ok) {
            Ok(kind) => return Ok(kind),
            Err(_) if answer.is_empty() => list(person),
            Err(failure) => person.hears(person.lang.say(&failure.message, "没有这个种类:请填编号或名称")),
        }
    }
}

/// Where the gateway calls back.
fn notify_url(name: &str, target: &ConfigTarget) -> String {
    format!("{}/pay/{name}/notify", target.config.server.public_url)
}

/// Adds what is to be done now, in words.
fn add_what_is_next(report: &mut Value, answers: &Answers, target: &ConfigTarget, lang: Lang) {
    let (name, public_url) = (&answers.name, &target.config.server.public_url);
    report["notify_url"] = json!(notify_url(name, target));
    report["console"] = json!(answers.kind.console.map(|console| console.say(lang)));
    let mut next = Vec::new();
    if ["://127.", "://localhost", "://0.0.0.0"].iter().any(|own| public_url.contains(own)) {
        next.push(lang.say(
            "set server.public_url: that address is this machine's own, and no gateway reaches it",
            "设置 server.public_url:上面是本机地址,网关访问不到",
        ));
    }
    if target.config.test {
        next.push(lang.say("for real money: [test] mode = false", "收真钱:[test] mode = false"));
    }
    let mut next: Vec<String> = next.into_iter().map(str::to_owned).collect();
    let restart = lang.say("restart the daemon:", "重启守护进程:");
    next.push(format!("{restart} kamid serve --config {}", target.path.display()));
    next.push(format!("kamid channel test {name}"));
    report["next"] = json!(next);
}

fn show(context: &Context, lang: Lang, report: &Value, checked: Option<&TrialStep>) {
    if context.out.json {
        return context.out.value(report);
    }
    let out = context.out;
    let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    out.line(&format!("\n{}", text("section")));
    for warning in list("warnings") {
        let (path, message) = (warning["path"].as_str(), warning["message"].as_str());
        let message = words::said(None, message.unwrap_or_default(), lang);
        out.line(&format!("{}: {message}", path.unwrap_or_default()));
    }
    if report["written"] != true {
        return out.line(lang.say("nothing was written (--dry-run)", "没有写入(--dry-run)"));
    }
    out.line(&format!("{} {}", lang.say("written:", "已写入:"), text("config")));
    for file in list("files") {
        out.line(&format!("         {} (0600)", file.as_str().unwrap_or_default()));
    }
    if let Some(step) = checked {
        out.line(&format!("{} {}: {}", lang.say("gateway:", "网关:"), step.result, step.says));
    }
    out.line(&format!("{} {}", lang.say("notify address:", "通知地址:"), text("notify_url")));
    let sent = lang.say(
        "it is sent with every payment; nothing is to be set in the gateway's console",
        "随每笔付款发给网关,后台无须填写",
    );
    let console = report["console"].as_str();
    let put = |place: &str| format!("{} {place}", lang.say("put it in:", "填到:"));
    out.line(&format!("  {}", console.map_or_else(|| sent.to_owned(), put)));
    out.line(lang.say("next:", "接下来:"));
    for (at, step) in list("next").iter().enumerate() {
        out.line(&format!("  {}. {}", at + 1, step.as_str().unwrap_or_default()));
    }
}
