//! What a person at a terminal sees while something runs beside the question.

use std::fs::File;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::pty::OpenptFlags;

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;
use crate::drplan::command;
use crate::drplan::signal;
use crate::drplan::words;

/// Long enough for several drawings of a progress bar.
const STILL: Duration = Duration::from_millis(800);

/// How a line of a terminal is emptied.
const CLEARED: &str = "\u{1b}[2K";

/// One command runs while the other waits for a person.
const SPEC: &str = r#"
recovery "asks" {}
resource "command" "slow" {
  check = ["test", "-e", "slow"]
  apply = ["sh", "-c", "touch begun; sleep 3; touch slow"]
}
resource "command" "page" {
  check = ["test", "-e", "page"]
  apply = ["touch", "page"]
}
resource "approval" "open" {
  guards = [command.page]
  from   = "the owner"
}
"#;

/// A terminal with a program at it.
struct Terminal {
    keyboard: File,
    is_closed: Arc<AtomicBool>,
    screen: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    fn start(world: &World, line: &str) -> Self {
        let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        // The program must not hold the end that is closed here.
        rustix::io::fcntl_setfd(&ours, FdFlags::CLOEXEC).expect("no heir");
        rustix::pty::grantpt(&ours).expect("rights");
        rustix::pty::unlockpt(&ours).expect("an open lock");
        let name = rustix::pty::ptsname(&ours, Vec::new()).expect("a name");
        let theirs = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().expect("a path"))
            .expect("the other end");
        let stream = || Stdio::from(OwnedFd::from(theirs.try_clone().expect("a stream")));
        let env = [("TERM".to_owned(), "xterm".to_owned())].into();
        let child = command(&world.path(""), &env, &words(line))
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("the binary starts");
        drop(theirs);
        let screen = Arc::new(Mutex::new(String::new()));
        let keyboard = File::from(ours);
        rustix::fs::fcntl_setfl(&keyboard, OFlags::RDWR | OFlags::NONBLOCK).expect("no waiting");
        let mut reads = keyboard.try_clone().expect("a stream");
        let (shown, is_closed) = (Arc::clone(&screen), Arc::new(AtomicBool::new(false)));
        let closed = Arc::clone(&is_closed);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error when nobody holds the other end any more.
            while !closed.load(Ordering::Relaxed) {
                match reads.read(&mut bytes) {
                    Ok(n @ 1..) => {
                        let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
                        shown.lock().expect("the screen").push_str(&text);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(GLANCE);
                    }
                    _ => break,
                }
            }
        });
        Self {
            keyboard,
            is_closed,
            screen,
            child,
        }
    }

    /// Closes the terminal, as a connection that drops does, and says so to the program.
    fn hang_up(self) -> Child {
        self.is_closed.store(true, Ordering::Relaxed);
        drop(self.keyboard);
        std::thread::sleep(STILL);
        signal("HUP", &self.child.id().to_string());
        self.child
    }

    fn shows(&self) -> String {
        self.screen.lock().expect("the screen").clone()
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let since = Instant::now();
        while !self.shows().contains(text) {
            let shown = self.shows();
            assert!(since.elapsed() < PATIENCE, "never `{text}`:\n{shown}");
            std::thread::sleep(GLANCE);
        }
    }
}

#[test]
fn nothing_is_drawn_over_a_question() {
    let world = World::of(SPEC);
    let mut terminal = Terminal::start(&world, "apply --auto-approve --no-color");
    let question = "Type `yes` to go on, or `no`: ";
    terminal.wait_for(question);
    world.wait_for("begun");
    std::thread::sleep(STILL);
    let shown = terminal.shows();
    let behind = shown.rsplit(question).next().unwrap_or_default();
    assert_eq!(behind, "", "behind the question:\n{shown:?}");
    // Who looks from elsewhere learns that a person is waited for.
    world
        .run("status")
        .says("? approval.open: the owner: may command.page run?")
        .says("command.slow: runs since");
    // A step that ends meanwhile is told, and the question stands last again.
    terminal.wait_for("done     command.slow");
    std::thread::sleep(STILL);
    let shown = terminal.shows();
    assert!(shown.ends_with(question), "{shown:?}");
    assert_eq!(shown.matches(question).count(), 2, "{shown:?}");
    terminal.keyboard.write_all(b"yes\n").expect("typed");
    let ended = terminal.child.wait().expect("the binary ends");
    assert_eq!(ended.code(), Some(0), "{}", terminal.shows());
    assert!(world.holds("page") && world.holds("slow"));
}

#[test]
fn a_terminal_that_went_away_stops_the_run_and_the_lock_is_given_back() {
    let (slow, _) = SPEC
        .split_once("resource \"command\" \"page\"")
        .expect("two");
    let world = World::of(slow);
    let terminal = Terminal::start(&world, "apply --auto-approve --no-color");
    world.wait_for("begun");
    std::thread::sleep(STILL);
    let mut child = terminal.hang_up();
    let since = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(since.elapsed() < PATIENCE, "it hangs");
        std::thread::sleep(GLANCE);
    }
    world.run("status").says("has ended").says("lock: free");
}

#[test]
fn who_stops_what_runs_is_told_so_where_nothing_is_drawn_over_it() {
    let (slow, _) = SPEC
        .split_once("resource \"command\" \"page\"")
        .expect("two");
    let world = World::of(slow);
    let mut terminal = Terminal::start(&world, "apply --auto-approve --no-color");
    world.wait_for("begun");
    std::thread::sleep(STILL);
    signal("INT", &terminal.child.id().to_string());
    terminal.wait_for("stopping: nothing new is started");
    let shown = terminal.shows();
    let (before, _) = shown.split_once("stopping: ").expect("it was waited for");
    let drawn = before.rsplit(" steps").next().unwrap_or_default();
    assert!(drawn.contains(CLEARED), "{drawn:?}");
    terminal.child.wait().expect("the binary ends");
}

#[test]
fn who_mistypes_is_asked_again_and_a_no_is_kept_and_not_overruled() {
    let world = World::of(SPEC);
    let mut terminal = Terminal::start(&world, "apply --auto-approve --no-color");
    terminal.wait_for("Type `yes` to go on, or `no`: ");
    terminal.keyboard.write_all(b"y\n").expect("typed");
    terminal.wait_for("type `yes` or `no`: ");
    terminal.keyboard.write_all(b"no\n").expect("typed");
    terminal.wait_for("next: drplan apply --resume");
    let ended = terminal.child.wait().expect("the binary ends");
    assert_eq!(ended.code(), Some(8), "{}", terminal.shows());
    let next = world.frontier()["next"].to_string();
    assert!(!next.contains("--approve"), "{next}");
    let report = world.run("report --json").json();
    let question = &report["approvals"][0];
    assert_eq!(question["refused"], true, "{question}");
    assert_eq!(question["how"], "the terminal", "{question}");
    world.run("status").says("the answer was no");
}

#[test]
fn what_was_typed_before_a_question_does_not_answer_it() {
    let world = World::of(
        r#"
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["sh", "-c", "touch begun; while ! test -e let; do sleep 0.05; done; touch site"]
}
resource "approval" "open" {
  guards     = [command.page]
  from       = "the owner"
  depends_on = [command.site]
}
resource "command" "page" {
  check = ["test", "-e", "page"]
  apply = ["touch", "page"]
}
"#,
    );
    let mut terminal = Terminal::start(&world, "apply --auto-approve --no-color");
    world.wait_for("begun");
    terminal.keyboard.write_all(b"yes\n").expect("typed");
    std::thread::sleep(STILL);
    world.write("let", "");
    terminal.wait_for("Type `yes` to go on, or `no`: ");
    std::thread::sleep(STILL);
    assert!(!world.holds("page"), "{}", terminal.shows());
    terminal.keyboard.write_all(b"yes\n").expect("typed");
    let ended = terminal.child.wait().expect("the binary ends");
    assert_eq!(ended.code(), Some(0), "{}", terminal.shows());
    assert!(world.holds("page"));
}
