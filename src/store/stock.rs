//! Keys on their way into a pool, out of sale and back, and to owed orders.

use std::collections::BTreeMap;

use redis::Value;

use super::at::Pipe;
use super::names::{Print, SEEN_FULL, SEEN_LEVELS};
use super::script::{self, Script, items_of, text_of};
use super::{At, Store, StoreError};
use crate::domain::{Millis, OrderId, Product, ProductId, Slot, Stock};
use crate::vault::{NONCE, Sealed};

/// Most owed orders settled by one script.
const RESTOCK_ORDERS: isize = 20;

/// One chunk of an import: at most 4,000 sealed keys and further fingerprints, each once.
#[derive(Debug, Clone)]
pub struct Chunk<'a> {
    /// Product it goes to.
    pub product: &'a ProductId,
    /// Its home slot.
    pub slot: Slot,
    /// A name no other chunk has.
    pub batch: String,
    /// The keys.
    pub keys: Vec<Sealed>,
    /// Further fingerprints of keys, by position and in its order: one that is known makes the key known.
    pub stood: Vec<(usize, [u8; NONCE])>,
}

/// What became of a chunk: for each key, whether it went into the pool (otherwise it was imported before).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkReport(pub Vec<bool>);

impl Chunk<'_> {
    fn owner(&self) -> String {
        format!("{}|{}|{}", self.slot, self.product, self.batch)
    }

    fn member(&self) -> String {
        format!("{}|{}", self.product, self.batch)
    }

    /// What is staged: each key, and behind it its further fingerprints, which are told from keys by their length.
    fn elements(&self) -> Vec<&[u8]> {
        let mut stood = self.stood.iter().peekable();
        let mut all = Vec::with_capacity(self.keys.len() + self.stood.len());
        for (at, key) in self.keys.iter().enumerate() {
            all.push(key.0.as_slice());
            while let Some((_, print)) = stood.next_if(|(of, _)| *of == at) {
                all.push(print);
            }
        }
        all
    }

    /// The same, read back.
    fn take_elements(&mut self, elements: Vec<Vec<u8>>) {
        for element in elements {
            match <[u8; NONCE]>::try_from(element) {
                Ok(print) => self.stood.push((self.keys.len().saturating_sub(1), print)),
                Err(key) => self.keys.push(Sealed(key)),
            }
        }
    }
}

type BySlot = BTreeMap<Slot, Vec<(usize, Print)>>;

/// Fingerprints by their slot, each with the position of its key.
fn by_slot<'a>(prints: impl Iterator<Item = (usize, Option<&'a [u8]>)>) -> Result<BySlot, StoreError> {
    let mut slots = BySlot::new();
    for (at, print) in prints {
        let print = print.and_then(Print::of);
        let print = print.ok_or_else(|| StoreError::Damaged("a sealed key without fingerprint".to_owned()))?;
        slots.entry(print.slot).or_default().push((at, print));
    }
    Ok(slots)
}

fn print_command(store: &Store, script: &Script, owner: &str, slot: Slot, prints: &[(usize, Print)]) -> redis::Cmd {
    let mut keys = vec![store.names.claims(slot)];
    for (_, print) in prints {
        keys.extend(store.names.seen(print));
    }
    let (full, levels) = (SEEN_FULL.to_string(), SEEN_LEVELS.to_string());
    let kept: Vec<String> = prints.iter().map(|(_, print)| print.kept.to_string()).collect();
    let mut args: Vec<&[u8]> = vec![owner.as_bytes(), full.as_bytes(), levels.as_bytes()];
    args.extend(kept.iter().map(String::as_bytes));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    store.command(At::Slot(slot), script, &keys, &args)
}

impl Store {
    /// Imports one chunk: stage, claim, commit. A kill anywhere leaves a staged chunk that [`Store::recover`] finishes.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn import(&self, chunk: &Chunk<'_>) -> Result<ChunkReport, StoreError> {
        let (slot, n) = (chunk.slot, self.names);
        let keys = [n.staged(slot, &chunk.batch), n.staging(slot)];
        let (now, member) = (self.now().to_string(), chunk.member());
        let mut args: Vec<&[u8]> = vec![now.as_bytes(), member.as_bytes()];
        args.extend(chunk.elements());
        self.run(At::Slot(slot), &script::STAGE, &keys.each_ref().map(String::as_str), &args).await?;
        self.finish_chunk(chunk).await
    }

    /// Claims and commits a staged chunk. Two may do it at once: they claim as one owner, and only the first commits.
    async fn finish_chunk(&self, chunk: &Chunk<'_>) -> Result<ChunkReport, StoreError> {
        let (slot, n, owner) = (chunk.slot, self.names, chunk.owner());
        let keys = by_slot(chunk.keys.iter().map(Sealed::fingerprint).enumerate())?;
        let mut ours = vec![false; chunk.keys.len()];
        for (at, claimed) in self.claim(&owner, &keys).await? {
            ours[at] = claimed;
        }
        // Only then, and only of what is ours: two that claim several in whatever order could each have one, and neither
        // import the key.
        let stood = chunk.stood.iter().filter(|(at, _)| ours[*at]).map(|(at, print)| (*at, Some(print.as_slice())));
        let stood = by_slot(stood)?;
        for (at, claimed) in self.claim(&owner, &stood).await? {
            ours[at] &= claimed;
        }
        let names = [
            n.staged(slot, &chunk.batch),
            n.staging(slot),
            n.pool(slot, chunk.product),
            n.stock(slot, chunk.product),
            n.marks(slot),
            n.outbox(slot),
        ];
        let elements = chunk.elements();
        let mut position = ours.iter();
        let of_key = |element: &&[u8]| element.len() != NONCE && position.next().copied().unwrap_or(false);
        let flags: Vec<u8> = elements.iter().map(of_key).map(|ours| if ours { b'1' } else { b'0' }).collect();
        let member = chunk.member();
        let args: [&[u8]; 3] = [member.as_bytes(), &flags, chunk.product.as_str().as_bytes()];
        self.run(At::Slot(slot), &script::COMMIT, &names.each_ref().map(String::as_str), &args).await?;
        self.ask_of_prints(&script::FINISH, &owner, keys.iter().chain(&stood)).await?;
        Ok(ChunkReport(ours))
    }

    /// Claims fingerprints; says for each, by its key's position, whether it is the owner's.
    async fn claim(&self, owner: &str, groups: &BySlot) -> Result<Vec<(usize, bool)>, StoreError> {
        let mut claimed = Vec::new();
        for (answer, prints) in
            self.ask_of_prints(&script::CLAIM, owner, groups).await?.into_iter().zip(groups.values())
        {
            let reply = script::ScriptReply::of(&script::CLAIM, answer)?;
            claimed.extend(prints.iter().map(|(at, _)| *at).zip(reply.text(0)?.bytes().map(|flag| flag == b'1')));
        }
        Ok(claimed)
    }

    /// A script's calls of several slots in one write; loads it when Redis does not know it.
    async fn ask_of_prints<'a>(
        &self,
        script: &Script,
        owner: &str,
        groups: impl IntoIterator<Item = (&'a Slot, &'a Vec<(usize, Print)>)> + Clone,
    ) -> Result<Vec<Value>, StoreError> {
        let calls = || {
            let mut pipe = Pipe::default();
            for (slot, prints) in groups.clone() {
                pipe.add(At::Slot(*slot), print_command(self, script, owner, *slot, prints));
            }
            pipe
        };
        self.trusted()?;
        let asked = self.ask_all(calls()).await;
        if !matches!(asked, Err(StoreError::NoScript | StoreError::Elsewhere)) {
            return asked;
        }
        // Which of the nodes said it is not known.
        for node in self.topology.nodes() {
            let mut link = self.checkout(node).await?;
            match asked {
                Err(StoreError::NoScript) => drop(link.run(&script.load()).await?),
                _ => self.look_elsewhere(&mut link).await?,
            }
        }
        self.ask_all(calls()).await
    }

    /// Finishes chunks that were staged before `before` and never committed; says how many. (Claims of a chunk that was
    /// committed but not finished stay claims: they go on refusing those keys, which is their use.) One that cannot be read
    /// holds up no other; it is named.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn recover(&self, before: Millis) -> Result<(usize, Vec<String>), StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZRANGE")
                .arg(self.names.staging(slot))
                .arg("-inf")
                .arg(before)
                .arg("BYSCORE")
                .arg("LIMIT")
                .arg(0)
                .arg(64);
        }
        let answers = self.ask_all(pipe).await?;
        let (mut finished, mut damaged) = (0, Vec::new());
        for (slot, answer) in Slot::all().zip(&answers) {
            for member in items_of(answer).iter().filter_map(text_of) {
                let Some((product, batch)) = member.split_once('|') else { continue };
                let Ok(product) = product.parse::<ProductId>() else { continue };
                let staged = self.names.staged(slot, batch);
                let elements: Vec<Vec<u8>> =
                    self.ask(At::Slot(slot), redis::cmd("LRANGE").arg(&staged).arg(0).arg(-1)).await?;
                let (keys, stood) = (Vec::new(), Vec::new());
                let mut chunk = Chunk { product: &product, slot, batch: batch.to_owned(), keys, stood };
                chunk.take_elements(elements);
                match self.finish_chunk(&chunk).await {
                    Ok(_) => finished += 1,
                    Err(error) if error.retry() => return Err(error),
                    Err(error) => damaged.push(format!("{member} in slot {slot}: {error}")),
                }
            }
        }
        Ok((finished, damaged))
    }

    /// A product's numbers now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn stock(&self, product: &Product) -> Result<Stock, StoreError> {
        Ok(self.stocks(&[product]).await?.pop().unwrap_or_default())
    }

    /// Several products' numbers, each taken at one moment.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn stocks(&self, products: &[&Product]) -> Result<Vec<Stock>, StoreError> {
        let mut pipe = Pipe::default();
        for product in products {
            let (slot, id) = (product.home(), &product.id);
            let at = At::Slot(slot);
            pipe.cmd(at, "MULTI");
            pipe.cmd(at, "LLEN").arg(self.names.pool(slot, id));
            pipe.cmd(at, "HMGET").arg(self.names.stock(slot, id)).arg(&["reserved", "imported", "voided"]);
            pipe.cmd(at, "LLEN").arg(self.names.owed(slot, id));
            pipe.cmd(at, "EXEC");
        }
        let answers = self.ask_all(pipe).await?;
        let stocks = answers.chunks_exact(5).map(|answer| {
            let items = items_of(&answer[4]);
            let number =
                |value: Option<&Value>| value.and_then(text_of).and_then(|text| text.parse().ok()).unwrap_or(0);
            let counts = items.get(1).map(items_of).unwrap_or_default();
            let (pool, imported, voided) = (number(items.first()), number(counts.get(1)), number(counts.get(2)));
            let given = u64::saturating_sub(imported, pool + voided);
            Stock { pool, reserved: number(counts.first()), imported, given, voided, owed: number(items.get(2)) }
        });
        Ok(stocks.collect())
    }

    /// Settles owed orders of a product as far as stock goes; says how many, and whether more may follow.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn restock(&self, slot: Slot, product: &ProductId) -> Result<(u64, bool), StoreError> {
        let n = self.names;
        let owed = n.owed(slot, product);
        let head: Vec<String> =
            self.ask(At::Slot(slot), redis::cmd("LRANGE").arg(&owed).arg(0).arg(RESTOCK_ORDERS - 1)).await?;
        let ids: Vec<OrderId> = head.iter().filter_map(|id| id.parse().ok()).collect();
        let mut keys = vec![n.stock(slot, product), n.pool(slot, product), owed, n.outbox(slot), n.marks(slot)];
        keys.extend(ids.iter().map(|id| n.order(*id)));
        let now = self.now().to_string();
        let mut args: Vec<&[u8]> = vec![now.as_bytes(), product.as_str().as_bytes()];
        args.extend(ids.iter().map(|id| id.as_str().as_bytes()));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let reply = self.run(At::Slot(slot), &script::RESTOCK, &keys, &args).await?;
        match reply.tag.as_str() {
            "settled" => Ok((reply.parsed(0)?, false)),
            "more" => Ok((reply.parsed(0)?, true)),
            "idle" => Ok((0, false)),
            _ => Err(reply.unknown()),
        }
    }

    /// Products whose owed orders may be settled by now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn marked(&self) -> Result<Vec<(Slot, ProductId)>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "SMEMBERS").arg(self.names.marks(slot));
        }
        let answers = self.ask_all(pipe).await?;
        let members = |value: &Value| -> Vec<ProductId> {
            let items = match value {
                Value::Set(items) => items.as_slice(),
                other => items_of(other),
            };
            items.iter().filter_map(|item| text_of(item)?.parse().ok()).collect()
        };
        Ok(Slot::all()
            .zip(&answers)
            .flat_map(|(slot, answer)| members(answer).into_iter().map(move |id| (slot, id)))
            .collect())
    }

    /// Takes keys out of sale: the oldest `count` (at most 1,000), or the named ones. Says how many.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn void(&self, product: &Product, count: u32, named: &[Sealed]) -> Result<u64, StoreError> {
        let (slot, id, n) = (product.home(), &product.id, self.names);
        let keys = [n.pool(slot, id), n.stock(slot, id), n.voided(slot, id), n.owed(slot, id), n.outbox(slot)];
        let count = count.to_string();
        let mut args: Vec<&[u8]> = vec![id.as_str().as_bytes(), count.as_bytes()];
        args.extend(named.iter().map(|key| key.0.as_slice()));
        self.run(At::Slot(slot), &script::VOID, &keys.each_ref().map(String::as_str), &args).await?.parsed(0)
    }

    /// Puts voided keys back on sale, at most 1,000. Says how many.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn restore(&self, product: &Product, count: u32) -> Result<u64, StoreError> {
        let (slot, id, n) = (product.home(), &product.id, self.names);
        let keys = [n.pool(slot, id), n.stock(slot, id), n.voided(slot, id), n.marks(slot), n.outbox(slot)];
        let count = count.to_string();
        let args: [&[u8]; 2] = [id.as_str().as_bytes(), count.as_bytes()];
        self.run(At::Slot(slot), &script::RESTORE, &keys.each_ref().map(String::as_str), &args).await?.parsed(0)
    }

    /// Orders that wait for stock, oldest first in each product, at most `most` of each.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn owed(&self, products: &[&Product], most: usize) -> Result<Vec<OrderId>, StoreError> {
        let mut pipe = Pipe::default();
        for product in products {
            pipe.cmd(At::Slot(product.home()), "LRANGE")
                .arg(self.names.owed(product.home(), &product.id))
                .arg(0)
                .arg(most.max(1) - 1);
        }
        let answers = self.ask_all(pipe).await?;
        Ok(answers.iter().flat_map(items_of).filter_map(|item| text_of(item)?.parse().ok()).collect())
    }
}
