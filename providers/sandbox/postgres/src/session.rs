//! One session: startup, password, and statements in the simple and the extended way.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;

use crate::error::IN_USE;
use crate::error::SqlError;
use crate::execute::Answer;
use crate::execute::Cx;
use crate::execute::execute;
use crate::frame;
use crate::frame::Message;
use crate::frame::Out;
use crate::frame::Reader;
use crate::frame::Startup;
use crate::known::Known;
use crate::known::Statement;
use crate::known::understand;
use crate::lexer::statements;
use crate::lexer::tokens;
use crate::server::Seat;
use crate::server::Server;
use crate::state::Connected;
use crate::trouble::Interruption;
use crate::trouble::Unready;
use crate::trouble::starting;
use crate::trouble::terminated;
use crate::value::Format;
use crate::value::Value;

/// How often and at which pace the server waits for other sessions to leave a database: 5 s in all,
/// as PostgreSQL itself does.
const LEAVING_LOOKS_MAX: u32 = 50;
const LEAVING_PAUSE: Duration = Duration::from_millis(100);

/// Where a session is in a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    Failed,
}

impl Transaction {
    fn status(self) -> u8 {
        match self {
            Self::None => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}

/// A statement with its parameters and the formats of its answer.
struct Portal {
    statement: Option<Statement>,
    params: Vec<Value>,
    formats: Vec<Format>,
}

impl Portal {
    fn format(&self, n: usize) -> Format {
        match self.formats.as_slice() {
            [] => Format::Text,
            [all] => *all,
            each => each.get(n).copied().unwrap_or(Format::Text),
        }
    }
}

struct Session {
    server: Server,
    seat: Seat,
    who: Connected,
    transaction: Transaction,
    prepared: BTreeMap<String, Option<Statement>>,
    portals: BTreeMap<String, Portal>,
    /// Whether messages are passed over until the next `Sync`, since one of them has failed.
    skipping: bool,
}

impl Server {
    /// Serves one client over a stream until it leaves.
    ///
    /// # Errors
    ///
    /// If the stream breaks, or what comes over it is not the protocol.
    pub async fn serve<S>(&self, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let settings = loop {
            match frame::startup(&mut stream).await? {
                // The network of the rehearsal is private to the process and carries plain bytes.
                Startup::Encrypt => stream.write_all(b"N").await?,
                Startup::Cancel => return Ok(()),
                Startup::Session(settings) => break settings,
            }
        };
        let mut out = Out::default();
        let mut session = match self.admit(&mut stream, &settings).await? {
            Ok(session) => session,
            Err(refused) => {
                out.error(&refused, "FATAL");
                stream.write_all(&out.0).await?;
                return stream.shutdown().await;
            }
        };
        let version = session.version();
        let parameters = [
            ("server_version", version.as_str()),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
            ("TimeZone", "UTC"),
        ];
        out.let_in(session.seat.pid, &parameters);
        out.ready(session.transaction.status());
        stream.write_all(&out.0).await?;
        stream.flush().await?;
        while let Some(message) = frame::message(&mut stream).await? {
            if message.sort == b'X' {
                break;
            }
            let mut out = Out::default();
            let interruption = session.interruption(&message);
            match interruption {
                Some(Interruption::ResetBefore) => return Err(reset()),
                Some(Interruption::Terminated) => {
                    out.error(&terminated(), "FATAL");
                    stream.write_all(&out.0).await?;
                    return stream.shutdown().await;
                }
                Some(Interruption::Slow(pause)) => tokio::time::sleep(pause).await,
                Some(Interruption::ResetAfter) | None => {}
            }
            session.handle(&message, &mut out).await;
            if interruption == Some(Interruption::ResetAfter) {
                return Err(reset());
            }
            stream.write_all(&out.0).await?;
            stream.flush().await?;
        }
        Ok(())
    }

    /// Checks who comes, and lets them in.
    async fn admit<S>(
        &self,
        stream: &mut S,
        settings: &[(String, String)],
    ) -> io::Result<Result<Session, SqlError>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.options().weather.on_connect() {
            Some(Unready::Starting) => return Ok(Err(starting())),
            Some(Unready::Slow(pause)) => tokio::time::sleep(pause).await,
            None => {}
        }
        let setting = |name: &str| {
            let found = settings.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone())
        };
        let user = setting("user").unwrap_or_default();
        let who = Connected {
            application: setting("application_name").unwrap_or_default(),
            database: setting("database").unwrap_or_else(|| user.clone()),
            user,
        };
        let role = self.state().roles.get(&who.user).cloned();
        let wanted = role.as_ref().and_then(|role| role.password.clone());
        if wanted.is_some() || role.is_none() {
            let mut out = Out::default();
            out.ask_password();
            stream.write_all(&out.0).await?;
            stream.flush().await?;
            let given = frame::message(stream).await?;
            let given = given.filter(|m| m.sort == b'p');
            let given = given.and_then(|m| Reader(&m.body).text().ok());
            if role.is_none() || given != wanted {
                return Ok(Err(SqlError::new(
                    "28P01",
                    format!("password authentication failed for user \"{}\"", who.user),
                )));
            }
        }
        if role.is_some_and(|role| !role.login) {
            return Ok(Err(SqlError::new(
                "28000",
                format!("role \"{}\" is not permitted to log in", who.user),
            )));
        }
        Ok(self.seat(who.clone()).map(|seat| Session {
            server: self.clone(),
            seat,
            who,
            transaction: Transaction::None,
            prepared: BTreeMap::new(),
            portals: BTreeMap::new(),
            skipping: false,
        }))
    }
}

impl Session {
    fn version(&self) -> String {
        let (major, minor) = self.server.options().version;
        format!("{major}.{minor}")
    }

    /// What goes wrong while a message is served that runs statements.
    fn interruption(&self, message: &Message) -> Option<Interruption> {
        let what = self.running(message)?;
        self.server.options().weather.on_statement(&what)
    }

    /// Names the statements that a message runs; one that nobody understands is named by the refusal.
    fn running(&self, message: &Message) -> Option<String> {
        let text = Reader(&message.body).text().ok()?;
        match message.sort {
            b'Q' => {
                let parts = statements(&text).ok()?;
                let known = parts.iter().map(|part| understand(part).ok());
                let known: Vec<Known> = known.map(|s| Some(s?.known)).collect::<Option<_>>()?;
                Some(format!("{known:?}"))
            }
            b'E' => {
                let statement = self.portals.get(&text)?.statement.as_ref()?;
                Some(format!("{:?}", statement.known))
            }
            _ => None,
        }
    }

    async fn handle(&mut self, message: &Message, out: &mut Out) {
        match message.sort {
            b'Q' => {
                if let Err(refused) = self.simple(&message.body, out).await {
                    self.fail(&refused, out);
                }
                out.ready(self.transaction.status());
            }
            b'S' => {
                self.skipping = false;
                self.portals.clear();
                out.ready(self.transaction.status());
            }
            b'H' => {}
            _ if self.skipping => {}
            _ => {
                if let Err(refused) = self.extended(message, out).await {
                    self.skipping = true;
                    self.fail(&refused, out);
                }
            }
        }
    }

    fn fail(&mut self, refused: &SqlError, out: &mut Out) {
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
        out.error(refused, "ERROR");
    }

    /// Runs the statements of one text: all of them or, in a transaction, none.
    async fn simple(&mut self, body: &[u8], out: &mut Out) -> Result<(), SqlError> {
        let text = Reader(body).text()?;
        let parts = statements(&text)?;
        if parts.is_empty() {
            out.empty_query();
            return Ok(());
        }
        let begins = parts.first().map(|part| understand(part)).transpose()?;
        let begins = begins.is_some_and(|statement| statement.known == Known::Begin);
        if begins && self.transaction == Transaction::None {
            self.transaction = Transaction::Open;
        }
        let understood: Vec<Statement> = parts
            .iter()
            .map(|part| understand(part))
            .collect::<Result<_, _>>()?;
        self.check_transaction(&understood)?;
        let answers = self.run(&understood, &[]).await?;
        for (statement, answer) in understood.iter().zip(answers) {
            let columns = statement.known.columns();
            if !columns.is_empty() {
                out.columns(columns, Format::Text);
            }
            for row in &answer.rows {
                out.row(row, |_| Format::Text);
            }
            out.complete(answer.tag, answer.rows.len());
        }
        Ok(())
    }

    async fn extended(&mut self, message: &Message, out: &mut Out) -> Result<(), SqlError> {
        let mut reader = Reader(&message.body);
        match message.sort {
            b'P' => {
                let (name, text) = (reader.text()?, reader.text()?);
                let mut words = tokens(&text)?;
                while words.last() == Some(&crate::lexer::Token::Mark(";".to_owned())) {
                    words.pop();
                }
                let statement = match words.is_empty() {
                    true => None,
                    false => Some(understand(&words)?),
                };
                self.prepared.insert(name, statement);
                out.parsed();
            }
            b'D' => self.describe(&mut reader, out)?,
            b'B' => {
                self.bind(&mut reader)?;
                out.bound();
            }
            b'E' => {
                let name = reader.text()?;
                let portal = self.portals.remove(&name);
                let portal = portal.ok_or_else(|| {
                    SqlError::new("34000", format!("portal \"{name}\" does not exist"))
                })?;
                self.execute(&portal, out).await?;
            }
            b'C' => {
                let (sort, name) = (reader.byte()?, reader.text()?);
                match sort {
                    b'S' => drop(self.prepared.remove(&name)),
                    _ => drop(self.portals.remove(&name)),
                }
                out.closed();
            }
            _ => return Err(SqlError::protocol("an unknown sort of message")),
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&Option<Statement>, SqlError> {
        self.prepared.get(name).ok_or_else(|| {
            SqlError::new(
                "26000",
                format!("prepared statement \"{name}\" does not exist"),
            )
        })
    }

    fn describe(&self, reader: &mut Reader<'_>, out: &mut Out) -> Result<(), SqlError> {
        let (sort, name) = (reader.byte()?, reader.text()?);
        let known = match sort {
            b'S' => {
                let known = self.find(&name)?.as_ref().map(|s| s.known);
                out.params(known.map_or(&[], Known::params));
                known
            }
            _ => {
                let portal = self.portals.get(&name);
                portal.and_then(|p| p.statement.as_ref()).map(|s| s.known)
            }
        };
        match known.map_or(&[][..], Known::columns) {
            [] => out.no_data(),
            columns => out.columns(columns, Format::Text),
        }
        Ok(())
    }

    fn bind(&mut self, reader: &mut Reader<'_>) -> Result<(), SqlError> {
        let (portal, name) = (reader.text()?, reader.text()?);
        let statement = self.find(&name)?.clone();
        let given = formats(reader)?;
        let types = statement.as_ref().map_or(&[][..], |s| s.known.params());
        let count = usize::try_from(reader.int2()?).unwrap_or_default();
        if count != types.len() {
            return Err(SqlError::protocol(
                "a statement got another number of parameters",
            ));
        }
        let mut params = Vec::new();
        for (n, ty) in types.iter().enumerate() {
            let format = match given.as_slice() {
                [] => Format::Text,
                [all] => *all,
                each => each.get(n).copied().unwrap_or(Format::Text),
            };
            params.push(match usize::try_from(reader.int4()?) {
                Ok(length) => Value::read(*ty, format, reader.take(length)?)?,
                Err(_) => Value::Null,
            });
        }
        let formats = formats(reader)?;
        self.portals.insert(
            portal,
            Portal {
                statement,
                params,
                formats,
            },
        );
        Ok(())
    }

    async fn execute(&mut self, portal: &Portal, out: &mut Out) -> Result<(), SqlError> {
        let Some(statement) = &portal.statement else {
            out.empty_query();
            return Ok(());
        };
        let one = std::slice::from_ref(statement);
        self.check_transaction(one)?;
        for answer in self.run(one, &portal.params).await? {
            for row in &answer.rows {
                out.row(row, |n| portal.format(n));
            }
            out.complete(answer.tag, answer.rows.len());
        }
        Ok(())
    }

    /// Refuses what a transaction cannot hold: in life, and here changes that would have to be taken
    /// back when a later message does not go well.
    fn check_transaction(&self, statements: &[Statement]) -> Result<(), SqlError> {
        let is = |known| statements.iter().any(|s| s.known == known);
        let alone = statements.len() == 1 && self.transaction == Transaction::None;
        if !alone
            && statements
                .iter()
                .any(|s| s.known.is_outside_of_transactions())
        {
            return Err(SqlError::new(
                "25001",
                "CREATE or DROP DATABASE cannot run inside a transaction block",
            ));
        }
        let whole = is(Known::Begin) && (is(Known::Commit) || is(Known::Rollback));
        let open = self.transaction == Transaction::Open && !whole;
        if open && statements.iter().any(|s| s.known.is_change()) {
            return Err(SqlError::new(
                "0A000",
                "the rehearsal's PostgreSQL changes nothing in a transaction that is not one message",
            ));
        }
        Ok(())
    }

    /// Runs statements, all of them or none, waiting a while for sessions that are about to leave.
    async fn run(
        &mut self,
        statements: &[Statement],
        params: &[Value],
    ) -> Result<Vec<Answer>, SqlError> {
        let ends = |s: &Statement| matches!(s.known, Known::Rollback | Known::Commit);
        if self.transaction == Transaction::Failed && !statements.first().is_some_and(ends) {
            return Err(SqlError::aborted());
        }
        for look in 0.. {
            let pace = self.server.options().pace.statement;
            tokio::time::sleep(pace.saturating_mul(u32::try_from(statements.len()).unwrap_or(1)))
                .await;
            match self.attempt(statements, params) {
                Err(e) if e.code == IN_USE && look < LEAVING_LOOKS_MAX => {
                    tokio::time::sleep(LEAVING_PAUSE).await;
                }
                done => return done,
            }
        }
        Ok(Vec::new())
    }

    fn attempt(
        &mut self,
        statements: &[Statement],
        params: &[Value],
    ) -> Result<Vec<Answer>, SqlError> {
        let cx = Cx {
            pid: self.seat.pid,
            user: &self.who.user,
            database: &self.who.database,
            now: self.server.now(),
            system_identifier: self.server.options().system_identifier,
        };
        let mut state = self.server.state();
        if !state.sessions.contains_key(&cx.pid) {
            return Err(terminated());
        }
        // One statement alone fails before it changes anything.
        if let [statement] = statements
            && self.transaction == Transaction::None
            && statement.known != Known::Begin
        {
            return Ok(vec![execute(&mut state, &cx, statement, params)?]);
        }
        let mut copy = state.clone();
        let mut answers = Vec::new();
        let mut transaction = self.transaction;
        for statement in statements {
            answers.push(execute(&mut copy, &cx, statement, params)?);
            match statement.known {
                Known::Begin => transaction = Transaction::Open,
                Known::Commit | Known::Rollback => transaction = Transaction::None,
                _ => {}
            }
        }
        *state = copy;
        self.transaction = transaction;
        Ok(answers)
    }
}

fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn formats(reader: &mut Reader<'_>) -> Result<Vec<Format>, SqlError> {
    let count = usize::try_from(reader.int2()?).unwrap_or_default();
    (0..count).map(|_| Format::of(reader.int2()?)).collect()
}
