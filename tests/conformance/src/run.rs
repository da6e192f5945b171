//! Sends the requests of a sequence and keeps what comes of them.
//!
//! Knows nothing about which server answers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::Instant;

use crate::normalise::Normaliser;
use crate::outcome;
use crate::outcome::Head;
use crate::outcome::Outcome;
use crate::outcome::Outcomes;
use crate::request;
use crate::request::Words;
use crate::sequence;
use crate::sequence::Sequence;
use crate::sequence::Step;
use crate::sequence::Until;
use crate::server::Server;
use crate::watch;

/// The longest that one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The longest that a repeated request may take to get the answer it waits for, on a machine that
/// may be busy.
const UNTIL_LIMIT: Duration = Duration::from_secs(60);

/// The same for a server in this process.
const UNTIL_LIMIT_NEAR: Duration = Duration::from_secs(5);

/// How often such a request is repeated.
const UNTIL_EVERY: Duration = Duration::from_millis(50);

/// What a step that must not be vacuous does when its code is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is an error: the sequence does not show what it says.
    MustHold,
    /// It is kept: the comparison shows it.
    MayDiffer,
}

/// Runs sequences against one server.
pub struct Runner {
    server: Server,
    strictness: Strictness,
    setups: BTreeMap<String, Vec<Step>>,
    done: BTreeSet<String>,
    run: String,
    number: usize,
}

impl Runner {
    /// Begins a run; `run` makes its names unique and holds only letters and digits.
    ///
    /// # Errors
    ///
    /// When the setups cannot be read.
    pub fn new(server: Server, run: &str, strictness: Strictness) -> Result<Self> {
        Ok(Self {
            server,
            strictness,
            setups: sequence::load_setups()?,
            done: BTreeSet::new(),
            run: run.to_owned(),
            number: 0,
        })
    }

    /// Runs a sequence in a fresh namespace.
    ///
    /// # Errors
    ///
    /// When the server gives no answer, or a step does not show what it should.
    pub async fn run(&mut self, sequence: &Sequence) -> Result<Outcomes> {
        for setup in &sequence.needs.setup {
            self.set_up(setup).await?;
        }
        self.number += 1;
        let id = format!("q{}z{:03}", self.run, self.number);
        let words = Words::from([("ns".to_owned(), format!("ns-{id}")), ("id".to_owned(), id)]);
        let mut scene = Scene {
            server: &self.server,
            strictness: self.strictness,
            normaliser: Normaliser::new(&words, !sequence.needs.controllers),
            words,
        };
        scene
            .open_namespace()
            .await
            .and(Ok(()))
            .with_context(|| format!("cannot open a namespace for `{}`", sequence.name))?;
        scene
            .steps(&sequence.steps)
            .await
            .with_context(|| format!("in `{}`", sequence.name))
    }

    async fn set_up(&mut self, name: &str) -> Result<()> {
        if !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        let steps = self
            .setups
            .get(name)
            .with_context(|| format!("there is no setup `{name}`"))?;
        let words = Words::new();
        let mut scene = Scene {
            server: &self.server,
            strictness: self.strictness,
            normaliser: Normaliser::new(&words, false),
            words,
        };
        scene
            .steps(steps)
            .await
            .and(Ok(()))
            .with_context(|| format!("in the setup `{name}`"))
    }
}

/// A sequence while it runs.
struct Scene<'s> {
    server: &'s Server,
    strictness: Strictness,
    words: Words,
    normaliser: Normaliser,
}

impl Scene<'_> {
    async fn open_namespace(&mut self) -> Result<Outcomes> {
        let step = serde_json::from_value(serde_json::json!({
            "do": "POST /api/v1/namespaces",
            "code": 201,
            "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "<ns>"}},
        }))?;
        self.steps(&[step]).await
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<Outcomes> {
        let mut outcomes = Vec::with_capacity(steps.len());
        for (place, step) in steps.iter().enumerate() {
            let outcome = match &step.watch {
                _ if step.r#do == sequence::COMPACT => self.compact(step).await,
                Some(_) => Box::pin(self.watch(step)).await,
                None => self.step(step).await,
            };
            let about = || format!("step {} (`{}`)", place + 1, step.r#do);
            let outcome = outcome.with_context(about)?;
            self.check(step, &outcome).with_context(about)?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn check(&self, step: &Step, outcome: &Outcome) -> Result<()> {
        match step.code {
            Some(code) if code != outcome.code && self.strictness == Strictness::MustHold => {
                bail!(
                    "the answer is {} and not {code}: {} {}",
                    outcome.code,
                    outcome.words,
                    outcome.body
                )
            }
            _ => Ok(()),
        }
    }

    async fn compact(&self, step: &Step) -> Result<Outcome> {
        self.server.compact().await?;
        Ok(Outcome::begin(step, Head::of(&http::Response::new(()))))
    }

    async fn step(&mut self, step: &Step) -> Result<Outcome> {
        let limit = match self.strictness {
            Strictness::MustHold => UNTIL_LIMIT,
            Strictness::MayDiffer => UNTIL_LIMIT_NEAR,
        };
        let deadline = Instant::now() + limit;
        loop {
            let (head, body) = self.answer(step).await?;
            let held = step
                .until
                .as_ref()
                .is_none_or(|until| holds(until, &self.words, &head, &body));
            if held || Instant::now() > deadline {
                if !held && self.strictness == Strictness::MustHold {
                    bail!("not within {} s: {body}", limit.as_secs());
                }
                return Ok(self.conclude(step, head, &body));
            }
            tokio::time::sleep(UNTIL_EVERY).await;
        }
    }

    fn conclude(&mut self, step: &Step, head: Head, body: &Value) -> Outcome {
        for (word, pointer) in &step.keep {
            let value = match body.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "nothing".to_owned(),
            };
            self.words.insert(word.clone(), value);
        }
        let mut outcome = Outcome::begin(step, head);
        let body = self.normaliser.value(body);
        outcome.take(step, body);
        for text in &mut outcome.warnings {
            *text = self.normaliser.text(text);
        }
        outcome
    }

    async fn answer(&self, step: &Step) -> Result<(Head, Value)> {
        let request = request::build(step, &self.words)?;
        let whole = async {
            let answer = self.server.call(step.who, request).await?;
            let head = Head::of(&answer);
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
            anyhow::Ok((head, parse(&body.to_bytes())))
        };
        tokio::time::timeout(ANSWER_LIMIT, whole)
            .await
            .with_context(|| format!("no answer in {} s", ANSWER_LIMIT.as_secs()))?
    }

    async fn watch(&mut self, step: &Step) -> Result<Outcome> {
        let Some(wanted) = &step.watch else {
            return self.step(step).await;
        };
        let request = request::build(step, &self.words)?;
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.server.call(step.who, request))
            .await
            .with_context(|| format!("no answer in {} s", ANSWER_LIMIT.as_secs()))??;
        let head = Head::of(&answer);
        if head.code != 200 {
            let body = answer.into_body().collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
            return Ok(self.conclude(step, head, &parse(&body.to_bytes())));
        }
        let during = self.steps(&wanted.during).await?;
        let said = watch::read(answer.into_body(), wanted.events).await?;
        let mut outcome = Outcome::begin(step, head);
        let events = said.events.iter().map(|event| {
            let event = self.normaliser.value(event);
            outcome::event(step, event)
        });
        outcome.events = Some(events.collect());
        outcome.ended = wanted.events.is_none().then_some(said.ended);
        outcome.during = during;
        Ok(outcome)
    }
}

/// A body that is no JSON is compared as text.
fn parse(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn holds(until: &Until, words: &Words, head: &Head, body: &Value) -> bool {
    until.code.is_none_or(|code| code == head.code)
        && until.values.iter().all(|(pointer, wanted)| {
            body.pointer(pointer).unwrap_or(&Value::Null) == &request::fill_in_value(wanted, words)
        })
}
