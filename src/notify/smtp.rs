//! E-mail through a mail server: submission over TLS (RFC 8314) or STARTTLS (RFC 3207).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, SinglePart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};

use super::text::{self, Template};
use super::{Notifier, NotifierInputs, Way};
use crate::domain::Reach;
use crate::settings::{Form, Setting, Values};
use crate::shop::{BuyerMessage, Refused};

const HOST: Setting =
    Setting::needed(Form::Line, "host", "the mail server, such as smtp.example.com", "邮件服务器,如 smtp.example.com");
const PORT: Setting = Setting::optional(
    Form::Whole(1, 65_535),
    "port",
    "its port; left out: 465 with tls, 587 with starttls",
    "端口;不写则 tls 为 465,starttls 为 587",
);
const TLS: Setting = Setting::choice(
    &["tls", "starttls", "none"],
    "tls",
    "how the connection is encrypted: tls, starttls (refused where the server cannot), none (only to this machine itself)",
    "连接的加密方式:tls、starttls(服务器不支持则拒绝)、none(只限本机)",
);
const CA: Setting = Setting::optional(
    Form::File(1 << 20),
    "ca_file",
    "a certificate to believe besides the well-known authorities, PEM",
    "除公认机构外还信任的证书,PEM",
);
const USER: Setting = Setting::optional(
    Form::Line,
    "user",
    "the login, where the server wants one, with password",
    "登录名,服务器需要时与 password 一起填写",
);
const PASSWORD: Setting = Setting::optional(Form::Password, "password", "its password", "登录密码");
const MAILBOX: Form = Form::Parsed("a mail address such as \"Shop <shop@example.com>\"");
/// Who writes.
pub(super) const FROM: Setting = Setting::needed(
    MAILBOX,
    "from",
    "a mail address such as \"Shop <shop@example.com>\", as buyers see it",
    "买家看到的发件人,如 \"Shop <shop@example.com>\"",
);
/// Where answers go.
pub(super) const REPLY_TO: Setting =
    Setting::optional(MAILBOX, "reply_to", "where their answers go, if elsewhere", "回信地址,若不同");
/// The settings of kind `smtp`.
pub(super) const SETTINGS: &[&Setting] =
    &[&HOST, &PORT, &TLS, &CA, &USER, &PASSWORD, &FROM, &REPLY_TO, &text::LANG, &text::WITH_KEYS, &text::FILE];
/// For each step of a conversation.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections kept to the server.
const LINKS: u32 = 4;

struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    writer: Writer,
}

/// Makes mails: who from, and what they say.
pub(super) struct Writer {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    template: Template,
}

impl Writer {
    /// Out of a section: [`FROM`], [`REPLY_TO`] and the template's settings.
    pub(super) fn read(v: &mut Values<'_>) -> Option<Self> {
        let (from, reply_to, template) = (v.parsed(&FROM), v.parsed(&REPLY_TO), Template::read(v));
        Some(Self { from: from?, reply_to, template: template? })
    }

    /// The mail of a message. Its id is the order's: a mail that was sent twice shows as one in most programs.
    pub(super) fn write(&self, message: &BuyerMessage) -> Result<Mail, Refused> {
        let never = |what: &str| Refused::Never(what.to_owned());
        let letter = self.template.write(message).map_err(|_| never("the template could not be filled in"))?;
        let to = message.to.parse().map_err(|_| never("the contact is not a mail address"))?;
        let id = format!("<{}.kamid@{}>", message.order, self.from.email.domain());
        let mail = Mail::builder().from(self.from.clone()).to(Mailbox::new(None, to)).subject(letter.subject);
        let mail = mail.message_id(Some(id)).header(AutoSubmitted);
        let mail = self.reply_to.iter().fold(mail, |mail, reply_to| mail.reply_to(reply_to.clone()));
        let part = SinglePart::builder().header(header::ContentType::TEXT_PLAIN).body(letter.body.as_str().to_owned());
        mail.singlepart(part).map_err(|_| never("the mail could not be built"))
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834), so that nobody's holiday note answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn tls(v: &mut Values<'_>, host: &str) -> Option<Tls> {
    let (word, ca) = (v.choice(&TLS), v.file(&CA));
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    if word == "none" {
        if !local {
            v.reject(&TLS, "\"none\" would send keys in the clear: only to this machine itself");
        }
        return Some(Tls::None);
    }
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(ca) = ca {
        match Certificate::from_pem(ca.as_bytes()) {
            Ok(ca) => parameters = parameters.add_root_certificate(ca),
            Err(_) => v.reject(&CA, "holds no certificate in PEM form"),
        }
    }
    let parameters = parameters.build().map_err(|error| v.reject(&HOST, format!("TLS: {error}"))).ok()?;
    Some(if word == "starttls" { Tls::Required(parameters) } else { Tls::Wrapper(parameters) })
}

pub(super) fn build(_: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let host = v.text(&HOST);
    let tls = tls(v, host.as_deref().unwrap_or_default());
    let standard = if matches!(tls, Some(Tls::Required(_))) { 587 } else { 465 };
    let port = if v.has(&PORT) { v.whole(&PORT) } else { Some(standard) };
    let (user, password) = (v.text(&USER), v.secret(&PASSWORD));
    if user.is_some() && password.is_none() {
        v.missing(&PASSWORD, "password_file names a file with it (or password_env)");
    }
    if user.is_none() && password.is_some() {
        v.missing(&USER, "who logs in with that password");
    }
    let writer = Writer::read(v);
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host?)
        .port(port?)
        .tls(tls?)
        .timeout(Some(PATIENCE))
        .pool_config(PoolConfig::new().max_size(LINKS));
    if let (Some(user), Some(password)) = (user, password) {
        transport = transport.credentials(Credentials::new(user, password.reveal().to_owned()));
    }
    Some(Way::Buyers(Arc::new(Smtp { transport: transport.build(), writer: writer? })))
}

/// A refusal in words. What is about us (a password, an encryption that is missing) passes when the settings are mended,
/// so it must not end a buyer's notice; what is about the recipient or the mail does not.
fn refused(error: &Error) -> Refused {
    let code = error.status().map(u16::from);
    let words = std::iter::successors(std::error::Error::source(error), |it| it.source());
    let text = words.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    match code {
        Some(500..=599) if !matches!(code, Some(502..=504 | 530 | 534 | 535 | 538)) => Refused::Never(text),
        _ => Refused::Later(text, None),
    }
}

impl Notifier for Smtp {
    fn reach(&self) -> Reach {
        Reach::Mail
    }

    fn tell<'a>(&'a self, message: &'a BuyerMessage) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let mail = self.writer.write(message)?;
            self.transport.send(mail).await.map(drop).map_err(|error| refused(&error))
        })
    }
}
