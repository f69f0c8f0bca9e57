//! E-mail as files in a folder of the data directory: what a mail server would have been given. Test mode only.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::smtp::Writer;
use super::{Notifier, Way, Wish};
use crate::domain::Reach;
use crate::settings::Problem;
use crate::shop::{Message, Refused};

const SETTINGS: [&str; 7] = ["kind", "path", "from", "reply_to", "lang", "keys", "template_file"];

struct Folder {
    path: PathBuf,
    writer: Writer,
}

pub(super) fn build(wish: &Wish<'_>, problems: &mut Vec<Problem>) -> Option<Way> {
    let s = wish.section;
    let path = s.prose("path", problems).unwrap_or_else(|| "mail".to_owned());
    let writer = Writer::read(s, problems);
    s.finish(&SETTINGS, problems);
    Some(Way::Buyers(Arc::new(Folder { path: wish.data.join(path), writer: writer? })))
}

impl Notifier for Folder {
    fn reach(&self) -> Reach {
        Reach::Mail
    }

    fn tell<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), Refused>> {
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
