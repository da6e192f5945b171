//! How a `provider` block becomes a connection, and what a connection answers.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::Answer;
use crate::Ask;
use crate::ConnId;
use crate::Doors;
use crate::Effect;
use crate::Fut;
use crate::Given;
use crate::Json;
use crate::ProviderError;
use crate::Right;
use crate::Room;
use crate::Schema;
use crate::SharedStore;
use crate::Standing;
use crate::Timestamp;

/// Who a target is, whatever its address: the uid of `kube-system`, an account and endpoint, a
/// system id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetId(pub String);

/// What opening a connection needs.
#[derive(Clone)]
pub struct Connecting {
    /// The connection's name.
    pub id: ConnId,
    /// The provider block's arguments, every hole filled and every secret opened. Never log it.
    pub config: Json,
    /// The folder of the spec, where relative paths start.
    pub base_dir: PathBuf,
    /// How the world is reached.
    pub doors: Doors,
}

/// A sort of target: `kubernetes`, `s3`, `route53`, `postgres`.
pub trait System: Send + Sync + 'static {
    /// The system's name in specs.
    fn name(&self) -> &'static str;
    /// The arguments of its provider block.
    fn schema(&self) -> Schema;
    /// Refuses arguments that fit the schema and can never be right, as [`crate::Kind::check`] does.
    fn check(&self, given: &mut Given<'_>) {
        let _ = given;
    }
    /// Whether a spec may use the system without a provider block: there is then one connection
    /// named `SYSTEM.default` without arguments. For systems that are always the same, such as
    /// this machine.
    fn implicit(&self) -> bool {
        false
    }
    /// How many steps may act on one connection at once, where the target bounds that.
    fn slots(&self) -> Option<usize> {
        None
    }
    /// Opens a connection. One bounded attempt.
    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>>;
    /// The least rights that opening a connection and asking these questions takes.
    fn rights_to_ask(&self, asks: &[&Ask]) -> Vec<Right> {
        let _ = asks;
        Vec::new()
    }
    /// The least rights that an effect takes, and reading what it did. None if the effect is not one of
    /// this system: a step may have connections to several.
    fn rights_to_do(&self, effect: &Effect) -> Vec<Right> {
        let _ = effect;
        Vec::new()
    }
    /// The least rights that [`Conn::store`] takes.
    fn rights_to_store(&self, bucket: &str, prefix: &str) -> Vec<Right> {
        let _ = (bucket, prefix);
        Vec::new()
    }
    /// The question whether a right is there, whose answer is a [`crate::Verdict`]; `None` if the system
    /// cannot be asked without doing it.
    fn may(&self, right: &Right) -> Option<Ask> {
        let _ = right;
        None
    }
    /// What an effect takes that cannot be said as rights; a sentence about the step without a full stop.
    fn untold(&self, effect: &Effect) -> Option<String> {
        let _ = effect;
        None
    }
    /// Writes the rights of a recovery down as whoever administers the system gives them to somebody.
    fn grant(&self, rights: &[Right], of: &str, to: &str) -> String {
        let _ = (rights, of, to);
        String::new()
    }
    /// What recorded answers of one connection say about what stood behind it, so that a rehearsal can
    /// begin there. Pure: it asks nobody.
    ///
    /// Each answer is one that [`Conn::fetch`] gave, out of a file that anybody may have edited: never
    /// index or unwrap what is in it, and leave out what does not fit. An `Err` means that it is not known,
    /// never that something is absent. Secrets are digests (`{"$digest": …}`) or `(secret)`; they stay so.
    /// What no world can be made of is told as [`Standing::Unknown`], questions that failed by
    /// [`Standing::unanswered`].
    fn recall(&self, who: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        let _ = (who, answers);
        Vec::new()
    }
}

/// An open connection. The provider's own kinds downcast it through [`Conn::as_any`] to act.
pub trait Conn: Send + Sync + 'static {
    /// Says who answers. One bounded attempt.
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>>;
    /// Answers questions in bulk: merges, pages and bounds, and changes nothing. Returns one answer
    /// for each question, in order. Several questions may be answered concurrently, within a bound.
    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>>;
    /// Lets the provider's own kinds get at the client.
    fn as_any(&self) -> &dyn Any;
    /// Says what time it is there, where the system tells. One bounded attempt.
    fn time(&self) -> Fut<'_, Option<Timestamp>> {
        Box::pin(async { None })
    }
    /// Says until when the system takes what the connection proves itself with, where that can be told and
    /// nothing renews it by itself. One bounded attempt.
    fn good_until(&self) -> Fut<'_, Option<Timestamp>> {
        Box::pin(async { None })
    }
    /// Says how much room for workloads is left, where the system has such. One bounded attempt.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn room(&self) -> Fut<'_, Result<Option<Room>, ProviderError>> {
        Box::pin(async { Ok(None) })
    }
    /// A place for small objects under a prefix of a bucket, where the system has such places.
    fn store(self: Arc<Self>, bucket: &str, prefix: &str) -> Option<Arc<dyn SharedStore>> {
        let _ = (bucket, prefix);
        None
    }
}
