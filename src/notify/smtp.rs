//! E-mail through a mail server: submission over TLS (RFC 8314) or STARTTLS (RFC 3207).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, SinglePart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};

use super::text::Template;
use super::{Notifier, Way, Wish};
use crate::domain::Reach;
use crate::settings::{Problem, Section};
use crate::shop::{Message, Refused};

const SETTINGS: [&str; 14] = [
    "kind",
    "host",
    "port",
    "tls",
    "ca_file",
    "user",
    "password",
    "password_file",
    "password_env",
    "from",
    "reply_to",
    "lang",
    "keys",
    "template_file",
];
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
    /// Out of a section: `from`, `reply_to` and the template's settings.
    pub(super) fn read(s: &Section, problems: &mut Vec<Problem>) -> Option<Self> {
        let wanted = "a mail address such as \"Shop <shop@example.com>\"";
        let from = s.parsed("from", wanted, problems);
        if from.is_none() {
            s.require("from", wanted, problems);
        }
        let reply_to = s.parsed("reply_to", wanted, problems);
        let template = Template::read(s, problems);
        Some(Self { from: from?, reply_to, template: template? })
    }

    /// The mail of a message. Its id is the order's: a mail that was sent twice shows as one in most programs.
    pub(super) fn write(&self, message: &Message) -> Result<Mail, Refused> {
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

fn tls(s: &Section, host: &str, problems: &mut Vec<Problem>) -> Option<Tls> {
    let word = s.text("tls", problems).unwrap_or_else(|| "tls".to_owned());
    let ca = s.file("ca_file", 1 << 20, problems);
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    if word == "none" {
        if !local {
            s.reject("tls", "\"none\" would send keys in the clear: only to this machine itself", problems);
        }
        return Some(Tls::None);
    }
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(ca) = ca {
        match Certificate::from_pem(ca.as_bytes()) {
            Ok(ca) => parameters = parameters.add_root_certificate(ca),
            Err(_) => s.reject("ca_file", "holds no certificate in PEM form", problems),
        }
    }
    let parameters = parameters.build().map_err(|error| s.reject("host", format!("TLS: {error}"), problems)).ok()?;
    match word.as_str() {
        "tls" => Some(Tls::Wrapper(parameters)),
        "starttls" => Some(Tls::Required(parameters)),
        _ => {
            s.reject("tls", "must be \"tls\", \"starttls\" or \"none\"", problems);
            None
        }
    }
}

pub(super) fn build(wish: &Wish<'_>, problems: &mut Vec<Problem>) -> Option<Way> {
    let s = wish.section;
    let host = s.text("host", problems);
    if host.is_none() {
        s.require("host", "the mail server, such as \"smtp.example.com\"", problems);
    }
    let tls = tls(s, host.as_deref().unwrap_or_default(), problems);
    let standard = if matches!(tls, Some(Tls::Required(_))) { 587 } else { 465 };
    let port = if s.has("port") { s.whole("port", 1..=65_535, problems) } else { Some(standard) };
    let user = s.text("user", problems);
    let password = s.secret("password", problems);
    if user.is_some() && password.is_none() {
        s.require("password", "password_file names a file with it (or password_env)", problems);
    }
    if user.is_none() && password.is_some() {
        s.require("user", "who logs in with that password", problems);
    }
    let writer = Writer::read(s, problems);
    s.finish(&SETTINGS, problems);
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

    fn tell<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let mail = self.writer.write(message)?;
            self.transport.send(mail).await.map(drop).map_err(|error| refused(&error))
        })
    }
}
