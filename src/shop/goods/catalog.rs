//! The catalogue in memory: read again when its version in Redis is another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::domain::{Product, ProductId};
use crate::shop::mirror::Mirror;
use crate::shop::{Shop, ShopError};
use crate::store::{Store, StoreError};

/// Between two looks for products that are not known.
const LOOK: Duration = Duration::from_millis(20);

/// Every product by its id.
pub(super) type Products = BTreeMap<ProductId, Product>;

/// The products of one version.
#[derive(Clone, Default)]
struct Edition {
    /// `None`: not read, or not known to be the store's.
    version: Option<u64>,
    products: Arc<Products>,
}

/// The catalogue as this instance knows it.
#[derive(Default)]
pub(in crate::shop) struct Catalog {
    newest: Mirror<Edition>,
    /// When somebody last looked for a product that was not known, and what came of it.
    looked: tokio::sync::Mutex<Option<(Instant, Result<(), StoreError>)>>,
}

impl Catalog {
    /// Every product.
    pub(in crate::shop) fn products(&self) -> Arc<Products> {
        self.newest.look(|edition| Arc::clone(&edition.products))
    }

    /// Whether it is known which version of the store's it is.
    pub(super) fn is_known(&self) -> bool {
        self.newest.look(|edition| edition.version.is_some())
    }

    /// Another store may stand there, whose catalogue may have the same version: it is read again.
    pub(in crate::shop) fn doubt(&self) {
        self.newest.amend(|edition| edition.version = None);
    }

    /// Reads it again.
    pub(in crate::shop) async fn read(&self, store: &Store) -> Result<(), StoreError> {
        let reading = async {
            let (version, _) = store.versions().await?;
            Ok(Edition { version: Some(version), products: Arc::new(store.products().await?) })
        };
        self.newest.read(reading).await.map(drop)
    }

    /// Reads it again where it is not of that version.
    pub(in crate::shop) async fn follow(&self, store: &Store, version: u64) -> Result<(), StoreError> {
        if self.newest.look(|edition| edition.version == Some(version)) {
            return Ok(());
        }
        self.read(store).await
    }

    /// Looks whether it has changed, for whoever asks for a product that is not known. Those who ask at the same time share
    /// one look, and looks are [`LOOK`] apart: strangers who ask for what is not there cost no more than that.
    async fn look_again(&self, store: &Store) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        match &*looked {
            Some((at, came)) if *at > asked => return came.clone(),
            Some((at, _)) => sleep_until(*at + LOOK).await,
            None => {}
        }
        let began = Instant::now();
        let came = async { self.follow(store, store.versions().await?.0).await }.await;
        *looked = Some((began, came.clone()));
        came
    }
}

impl Shop {
    /// The catalogue as this instance knows it (at most about a second old).
    #[must_use]
    pub fn catalog(&self) -> Arc<BTreeMap<ProductId, Product>> {
        self.catalog.products()
    }

    /// Reads the catalogue again.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn refresh_catalog(&self) -> Result<(), StoreError> {
        self.catalog.read(&self.store).await
    }

    /// One product. Before it says that there is none, it looks whether another instance has added it meanwhile.
    ///
    /// # Errors
    /// There is none of that id, or Redis does not answer.
    pub async fn product(&self, id: &str) -> Result<Product, ShopError> {
        let id: ProductId = id.parse().map_err(|_| ShopError::NotFound("product"))?;
        if let Some(known) = self.catalog().get(&id) {
            return Ok(known.clone());
        }
        self.catalog.look_again(&self.store).await?;
        self.catalog().get(&id).cloned().ok_or(ShopError::NotFound("product"))
    }
}
