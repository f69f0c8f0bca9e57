//! E-mail as files in a folder of the data directory: what a mail server would have been given. Test mode only.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::smtp::{FROM, REPLY_TO, Writer};
use super::{Notifier, NotifierInputs, Way, text};
use crate::domain::Reach;
use crate::settings::{Form, Setting, Values};
use crate::shop::{BuyerMessage, Refused};

const PATH: Setting =
    Setting::optional(Form::Prose, "path", "a folder in the data directory", "数据目录中的文件夹").or("mail");
/// The settings of kind `folder`.
pub(super) const SETTINGS: &[&Setting] = &[&PATH, &FROM, &REPLY_TO, &text::LANG, &text::WITH_KEYS, &text::FILE];

struct Folder {
    path: PathBuf,
    writer: Writer,
}

pub(super) fn build(inputs: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let (path, writer) = (v.text(&PATH), Writer::read(v));
    Some(Way::Buyers(Arc::new(Folder { path: inputs.data.join(path?), writer: writer? })))
}

impl Notifier for Folder {
    fn reach(&self) -> Reach {
        Reach::Mail
    }

    fn tell<'a>(&'a self, message: &'a BuyerMessage) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let mail = self.writer.write(message)?;
            let later = |error: std::io::Error| Refused::Later(format!("the folder: {error}"), None);
            tokio::fs::create_dir_all(&self.path).await.map_err(later)?;
            // A buyer's order has one file: told again, it is written again.
            let file = self.path.join(format!("{}.eml", message.order));
            tokio::fs::write(file, mail.formatted()).await.map_err(later)
        })
    }
}
