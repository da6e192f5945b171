//! The kit tried on the smallest kind there is: a note on a server, written by one PUT.

use std::any::Any;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use drplan_api::*;
use drplan_testkit::*;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

struct Notes(String);

impl Notes {
    async fn request(&self, method: &str, body: &str) -> Result<String, ProviderError> {
        let error = || ProviderError::new(ErrorKind::Unreachable, method, &self.0);
        let address = self.0.trim_start_matches("http://");
        let mut tcp = tokio::net::TcpStream::connect(address)
            .await
            .map_err(|_| error())?;
        let head = format!(
            "{method} /note HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        tcp.write_all((head + body).as_bytes())
            .await
            .map_err(|_| error())?;
        let mut text = String::new();
        tcp.read_to_string(&mut text).await.map_err(|_| error())?;
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
            _ => Err(error()),
        }
    }
}

impl Conn for Notes {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId("notes".to_owned())) })
    }
    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(async move {
            let answer = self
                .request("GET", "")
                .await
                .map(|text| Arc::new(Json::from(text)));
            asks.iter().map(|_| answer.clone()).collect()
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Deserialize)]
struct Spec {
    text: Late<String>,
}

struct Note;

impl Kind for Note {
    type Spec = Spec;
    type State = String;
    type Op = Late<String>;

    fn def(&self) -> Def {
        Def {
            name: "note",
            doc: "A note.",
            mode: Mode::Goal,
            schema: Schema::default(),
            stage: Some(Stage::Apps),
            roles: &[("board", "notes")],
            envelope: &[Action::Update],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }
    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<String>, Pending> {
        let query = Query::new(want.conn("board"), "read", &());
        Ok(match view.get(&query)? {
            Ok(text) => Seen::Present(text.as_str().unwrap_or_default().to_owned()),
            Err(error) => Seen::Unreadable(error.clone()),
        })
    }
    fn plan(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<String>) -> Planned<Self::Op> {
        match seen {
            Seen::Present(text) if !text.is_empty() => Planned::Nothing("there is a note".into()),
            _ => Planned::Step(Box::new(Proposal {
                action: Action::Update,
                because: "the note is empty".into(),
                diff: Vec::new(),
                hazard: Hazard::none(),
                op: want.spec.text.clone(),
                effects: vec![Effect {
                    verb: "PUT".to_owned(),
                    object: "note".to_owned(),
                    repeat: Repeat::Converge,
                    inverse: None,
                }],
                binding: Json::Null,
            })),
        }
    }
    fn outputs(&self, _: &Want<Spec>, _: &Seen<String>) -> Json {
        json!({})
    }
}

impl Acts for Note {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Self::Op,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let text: String = cx.open(op)?;
            cx.conn::<Notes>("board")?
                .request("PUT", &text)
                .await
                .map(|_| ())
        })
    }
    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        _: &'a Self::Op,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let text = cx.conn::<Notes>("board")?.request("GET", "").await?;
            Ok(if text.is_empty() {
                Landed::No
            } else {
                Landed::Yes
            })
        })
    }
    fn poll<'a>(
        &'a self,
        _: &'a ReadCx,
        _: &'a Self::Op,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async { Ok(Progress::Done) })
    }
    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        _: &'a Self::Op,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let text = cx.conn::<Notes>("board")?.request("GET", "").await?;
            Ok(Proof::default().with(!text.is_empty(), "the note is written", "GET /note"))
        })
    }
}

async fn driver(faults: &Faults) -> Driver {
    let note = Arc::new(Mutex::new(String::new()));
    let read = |State(note): State<Arc<Mutex<String>>>| async move {
        note.lock().expect("a note").clone()
    };
    let write = |State(note): State<Arc<Mutex<String>>>, text: String| async move {
        *note.lock().expect("a note") = text;
    };
    let router = Router::new()
        .route("/note", get(read).put(write))
        .with_state(Arc::clone(&note));
    let served = serve(faults.wrap(router)).await;
    Driver::new(
        acting(Note),
        want("note.a", json!({"text": secret_hole(0)})).role("board", "notes.a"),
    )
    .conn("notes.a", Arc::new(Notes(served.url())))
    .secret(0, "hello")
    .keep(served)
    .fingerprint(move || {
        let text = note.lock().expect("a note").clone();
        Box::pin(async move { json!(text) })
    })
}

#[tokio::test]
async fn a_good_kind_passes_the_whole_matrix() {
    apply_twice(async || driver(&Faults::none()).await).await;
    crash_at_each_point(async || driver(&Faults::none()).await).await;
    fail_each_request_once(async |faults| driver(&faults).await).await;
}

#[tokio::test]
async fn a_script_answers_in_order_and_reports_what_it_did_not_expect() {
    let script = Script::new()
        .on(Method::GET, "/note", Reply::text(200, "one"))
        .on(Method::PUT, "/note", Reply::Cut)
        .only_if(|request| request.body == "two")
        .start()
        .await;
    let notes = Notes(script.url());
    assert_eq!(notes.request("GET", "").await.expect("an answer"), "one");
    notes
        .request("PUT", "two")
        .await
        .expect_err("a cut connection");
    assert_eq!(script.requests().len(), 2);
    script.finish();
}

#[tokio::test]
async fn a_target_that_is_not_yet_made_needs_no_connection() {
    let driver = Driver::new(
        acting(Note),
        want("note.a", json!({"text": hole(1, "command.b")})).role("board", "notes.a"),
    )
    .target(
        "notes.a",
        TargetState::NotYet {
            made_by: Vec::new(),
        },
    );
    let facts = Facts::default();
    assert_eq!(
        driver.look_at(&facts).expect_err("nothing is known"),
        LookError::Pending
    );
}
