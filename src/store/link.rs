//! Links to Redis. The stock manager of the crate never reports a broken one; ours marks it and dials a new one, and
//! each new link runs the preflight again, since another server may answer now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value};

use super::embedded::memory;
use super::places::Places;
use super::preflight::Preflight;
use super::{Names, StoreError, script};

/// One multiplexed connection, shared by all who cloned it.
#[derive(Clone)]
pub struct Link {
    connection: MultiplexedConnection,
    broken: Arc<AtomicBool>,
}

impl Link {
    /// Runs one command.
    pub async fn run(&mut self, cmd: &Cmd) -> Result<Value, StoreError> {
        let answer = self.connection.req_packed_command(cmd).await;
        let value = self.judge(answer)?;
        self.value(value)
    }

    /// What a reply says. An error of Redis comes as a value: NOSCRIPT and LOADING above all.
    pub fn value(&self, value: Value) -> Result<Value, StoreError> {
        match value {
            Value::ServerError(error) => self.judge(Err(error.into())),
            value => Ok(value),
        }
    }

    /// Runs several commands in one write. One that fails fails all; those before it have run.
    pub async fn run_all(&mut self, pipe: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let answer = self.connection.req_packed_commands(pipe, 0, pipe.len()).await;
        self.judge(answer)?.into_iter().map(|value| self.value(value)).collect()
    }

    /// Several commands in one write; one that fails has its error in its place.
    pub async fn run_each(&mut self, pipe: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let answer = self.connection.req_packed_commands(pipe, 0, pipe.len()).await;
        self.judge(answer)
    }

    fn judge<T>(&self, answer: redis::RedisResult<T>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            // A demoted master is as useless to us as a broken link; and a line that went silent may stay so for as long as
            // TCP believes in it, which is a quarter of an hour. Who still waits on it keeps it.
            if error.is_unrecoverable_error() || error.is_timeout() || error.code() == Some("READONLY") {
                self.broken.store(true, Ordering::Relaxed);
            }
            error.into()
        })
    }
}

/// What bb8 asks of us.
pub struct Links {
    client: redis::Client,
    timeout: Duration,
    preflight: Arc<Preflight>,
    names: Names,
    places: Arc<Places>,
    /// What an embedded server may take.
    pub memory: Option<u64>,
}

impl Links {
    pub fn new(
        client: redis::Client,
        timeout: Duration,
        preflight: Arc<Preflight>,
        names: Names,
        places: Arc<Places>,
    ) -> Self {
        Self { client, timeout, preflight, names, places, memory: None }
    }
}

impl bb8::ManageConnection for Links {
    type Connection = Link;
    type Error = StoreError;

    async fn connect(&self) -> Result<Link, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| {
            match StoreError::from(error) {
                StoreError::Lost(why) | StoreError::Bug(why) => StoreError::Unavailable(why),
                other => other,
            }
        })?;
        let mut link = Link { connection, broken: Arc::new(AtomicBool::new(false)) };
        if self.preflight.check(&mut link).await? {
            for script in script::all() {
                link.run(&script.load()).await?;
            }
            if let Some(bytes) = self.memory {
                memory::limit(&mut link, bytes).await?;
            }
        }
        // Before the first script: another store than before may answer now, or the same one from an earlier time.
        self.places.look(&mut link, self.names).await?;
        Ok(link)
    }

    async fn is_valid(&self, link: &mut Link) -> Result<(), StoreError> {
        if link.broken.load(Ordering::Relaxed) { Err(StoreError::Lost("marked".to_owned())) } else { Ok(()) }
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.broken.load(Ordering::Relaxed)
    }
}
