//! The mocks that clients have armed, each for a limited time.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    task::AbortHandle,
    time::{Duration, Instant, sleep_until},
};

use super::{
    access::AllowedHosts,
    catalogue,
    limits::{LEDGER, MAX_ARMED},
};
use crate::{
    observation::{Attempt, Identity, Stray},
    scenario::{ArmRequest, Library, Provider, load_arm},
    upstream::{Armed, ArmedCase, OwnPorts, Upstream},
};

/// Longer than any server runs. The clock of the runtime cannot count much further.
const LIFETIME: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The name of a mock that the owner of the server arms. It is the first segment of its URLs.
///
/// It consists of lower-case letters and digits, because canaries that contain it are recognised by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MockName(String);

impl FromStr for MockName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let fits = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if name.is_empty() || name.len() > 32 || !fits {
            return Err("a name consists of 1 to 32 lower-case letters and digits".to_owned());
        }
        if name.parse::<Provider>().is_ok() {
            return Err(format!("`{name}` is the name of a provider, whose URLs are those of the catalogue"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for MockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The mock server with everything that is armed on it.
pub(crate) struct ArmedMocks {
    /// The scenarios that clients can arm by name.
    library: RwLock<Arc<Library>>,
    pub(super) access: AllowedHosts,
    upstream: Upstream,
    /// The catalogue is armed for as long as these values exist.
    catalogue: Mutex<Vec<ArmedCase>>,
    armed: Mutex<HashMap<String, Lease>>,
    ids: Ids,
}

/// An armed mock until its time is over.
struct Lease {
    case: ArmedCase,
    wanted: ArmRequest,
    /// The request that armed it, if it came from a client: it can name a scenario.
    request: Option<String>,
    expires: Instant,
    expiry: AbortHandle,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.expiry.abort();
    }
}

/// A new armed mock, as the client needs to know it.
pub(crate) struct ArmedMock {
    pub(crate) id: String,
    pub(crate) deployments: Vec<MockDeployment>,
}

/// One deployment of an armed mock.
pub(crate) struct MockDeployment {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// `http://127.0.0.1:PORT/ID/NAME/v1`
    pub(crate) base_url: String,
    pub(crate) key: String,
}

/// Why nothing was armed.
#[derive(Debug)]
pub(crate) enum NotArmed {
    /// [`MAX_ARMED`] mocks are armed; the next one of them ends after this time.
    Full(Duration),
    /// No port could be opened, or the certificate authority could not be created.
    System(io::Error),
}

/// What an armed mock has received so far.
pub(crate) struct Ledger {
    pub(crate) attempts: Vec<Attempt>,
    /// The number of attempts that arrived after the ledger was full.
    pub(crate) not_kept: usize,
    /// The number of attempts that are still being answered.
    pub(crate) open: usize,
    /// Traffic that did not become an attempt.
    pub(crate) strays: Vec<Stray>,
}

impl ArmedMocks {
    pub(super) fn new(
        upstream: Upstream,
        catalogue: Vec<ArmedCase>,
        library: Library,
        access: AllowedHosts,
    ) -> Self {
        Self {
            library: RwLock::new(Arc::new(library)),
            access,
            upstream,
            catalogue: Mutex::new(catalogue),
            armed: Mutex::default(),
            ids: Ids::default(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.upstream.address()
    }

    /// The scenarios that clients can arm by name.
    pub(crate) fn library(&self) -> Arc<Library> {
        self.library.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the scenarios that clients can arm by name. A mock that a client has armed with such a name plays the new
    /// turns from then on, from the first one, at the same URLs and with an empty ledger. Returns the number of those mocks.
    ///
    /// With `all`, every such mock is armed again, because what the words of its turns mean has changed. A mock that has its own
    /// port, or would get one, stays as it is: its URL would change.
    pub(crate) fn replace_library(self: &Arc<Self>, library: Library, all: bool) -> usize {
        let mut armed = locked(&self.armed);
        let now = Instant::now();
        let changed: Vec<(String, ArmRequest, Instant, String)> = armed
            .iter()
            .filter(|(_, lease)| lease.expires > now)
            .filter_map(|(id, lease)| {
                let request = lease.request.as_ref()?;
                let wanted = load_arm(request, &library).ok()?;
                let same = !all && wanted.serves_the_same(&lease.wanted);
                let moves = wanted.needs_own_port() || lease.wanted.needs_own_port();
                (!same && !moves).then(|| (id.clone(), wanted, lease.expires, request.clone()))
            })
            .collect();
        let count = changed.len();
        for (token, wanted, expires, request) in changed {
            armed.remove(&token);
            // Without a port of its own, nothing can fail.
            let _ = self.lease(
                &mut armed,
                Identity { token },
                &wanted,
                expires,
                &mut OwnPorts::Free,
                Some(request),
            );
        }
        *self.library.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(library);
        count
    }

    /// Arms the catalogue again, after the project's files about providers have changed. Every request meanwhile gets the old
    /// response or the new one.
    ///
    /// # Errors
    ///
    /// If a mock has the name of a new provider, or the catalogue cannot be armed. Then nothing changes.
    pub(crate) fn replace_catalogue(&self) -> io::Result<()> {
        let mut catalogue = locked(&self.catalogue);
        let armed = locked(&self.armed);
        if let Some(taken) = Provider::all().into_iter().find(|one| armed.contains_key(one.as_str())) {
            let message = format!("a mock is armed under the name of the provider {taken}");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        drop(armed);
        *catalogue = catalogue::open(&self.upstream)?;
        Ok(())
    }

    /// Arms a mock under a new id, and disarms it when its time is over. `request` is the text of the client's request.
    pub(crate) fn arm(self: &Arc<Self>, wanted: &ArmRequest, request: &str) -> Result<ArmedMock, NotArmed> {
        // The lock is held until the lease is stored; otherwise a very short timer could fire before that,
        // and the lease would never end.
        let mut armed = locked(&self.armed);
        let now = Instant::now();
        armed.retain(|_, lease| lease.expires > now);
        if let Some(next) =
            armed.values().map(|lease| lease.expires).min().filter(|_| armed.len() >= MAX_ARMED)
        {
            return Err(NotArmed::Full(next - now));
        }
        let identity = Identity { token: self.ids.next() };
        let request = Some(request.to_owned());
        self.lease(&mut armed, identity, wanted, now + wanted.ttl, &mut OwnPorts::Free, request)
    }

    /// Arms a mock under a name that the owner of the server chose, for as long as the server runs. `ports` provides
    /// the ports of deployments that need their own.
    pub(crate) fn arm_named(
        self: &Arc<Self>,
        name: &MockName,
        wanted: &ArmRequest,
        ports: &mut OwnPorts,
    ) -> Result<ArmedMock, NotArmed> {
        let identity = Identity { token: name.to_string() };
        self.lease(&mut locked(&self.armed), identity, wanted, Instant::now() + LIFETIME, ports, None)
    }

    fn lease(
        self: &Arc<Self>,
        armed: &mut HashMap<String, Lease>,
        identity: Identity,
        wanted: &ArmRequest,
        expires: Instant,
        ports: &mut OwnPorts,
        request: Option<String>,
    ) -> Result<ArmedMock, NotArmed> {
        let id = identity.token.clone();
        let wants = Armed {
            providers: indexmap::IndexMap::new(),
            identity: identity.clone(),
            combination: wanted.combination,
            deployments: wanted.deployments.clone(),
            transport: wanted.transport,
            account: wanted.account.clone(),
            seed: 0,
        };
        let case = self.upstream.arm_within(wants, LEDGER, ports).map_err(NotArmed::System)?;
        let deployments = wanted
            .deployments
            .keys()
            .map(|name| MockDeployment {
                name: name.clone(),
                address: case.address(name),
                base_url: case.base_url(name),
                key: identity.key(name),
            })
            .collect();
        let expiry = tokio::spawn(expire(Arc::downgrade(self), id.clone(), expires)).abort_handle();
        armed.insert(id.clone(), Lease { case, wanted: wanted.clone(), request, expires, expiry });
        Ok(ArmedMock { id, deployments })
    }

    /// The ledger of a mock; `None` if no mock with this id is armed, or no longer.
    pub(crate) fn ledger(&self, id: &str) -> Option<Ledger> {
        self.with(id, |case| Ledger {
            attempts: case.attempts(),
            not_kept: case.not_kept(),
            open: case.open_attempts(),
            strays: case.strays(),
        })
    }

    /// The number of armed mocks.
    pub(super) fn count(&self) -> usize {
        let now = Instant::now();
        locked(&self.armed).values().filter(|lease| lease.expires > now).count()
    }

    /// Traffic to this server that did not become an attempt.
    pub(super) fn strays(&self) -> Vec<Stray> {
        self.upstream.strays()
    }

    /// The certificate authority for mocks with TLS, in PEM format.
    pub(crate) fn ca_pem(&self) -> io::Result<String> {
        self.upstream.ca_pem()
    }

    /// Empties the ledger of a mock and restarts its turns. Returns whether a mock with this id is armed.
    pub(crate) fn reset(&self, id: &str) -> bool {
        self.with(id, |case| case.begin(Instant::now())).is_some()
    }

    /// Ends a mock. Returns whether a mock with this id was armed.
    pub(crate) fn disarm(&self, id: &str) -> bool {
        locked(&self.armed).remove(id).is_some_and(|lease| lease.expires > Instant::now())
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&ArmedCase) -> T) -> Option<T> {
        let armed = locked(&self.armed);
        // Its timer may be late.
        let lease = armed.get(id).filter(|lease| lease.expires > Instant::now())?;
        Some(look(&lease.case))
    }

    /// Ends all mocks, and returns when they have ended.
    pub(super) async fn shutdown(&self) {
        locked(&self.armed).clear();
        self.upstream.shutdown().await;
    }
}

async fn expire(mocks: Weak<ArmedMocks>, id: String, at: Instant) {
    sleep_until(at).await;
    if let Some(mocks) = mocks.upgrade() {
        mocks.disarm(&id);
    }
}

/// Generates ids that cannot be guessed: a keyed hash of a counter. Only this process knows the key.
#[derive(Default)]
struct Ids {
    key: RandomState,
    count: AtomicU64,
}

impl Ids {
    fn next(&self) -> String {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", self.key.hash_one(n))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
