//! Damaged files, a full disk, and the end of the process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// Set in a child process, to the directory of its spool.
const CHILD: &str = "QUAYSIDE_TEST_SPOOL";

/// Runs the same test again in a process of its own.
fn child(test: &str, parent: &Path) -> Child {
    // A write beyond the limit for files is an error then, as on a full disk, and not a signal.
    let script = r#"trap "" XFSZ; exec "$@""#;
    let test = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(CHILD, parent)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    if let Some(parent) = std::env::var_os(CHILD) {
        acknowledge_for_ever(Path::new(&parent)).await;
    }
    let parent = TempDir::new().unwrap();
    let mut acknowledged = 0;
    for round in 1..=3 {
        let mut child = child("a_killed_process_loses_nothing_that_it_acknowledged", parent.path());
        let mut acknowledgements = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        while acknowledged < round * 100 {
            let line = acknowledgements.next().expect("the child goes on until it is killed");
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged = acknowledged.max(number.parse::<usize>().unwrap());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts as well.
        for line in acknowledgements {
            if let Some(Ok(number)) = line.strip_prefix("acknowledged ").map(str::parse) {
                acknowledged = acknowledged.max(number);
            }
        }

        let spool = open(parent.path()).await;
        assert_eq!(*spool.losses().borrow(), 0);
        let (owed, mut after, mut requests) = (owed_targets(&spool).await, None, 0);
        loop {
            let page = spool.taken_in(after).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            requests += page.len();
        }
        assert!(owed.len() >= acknowledged, "{} of {acknowledged}", owed.len());
        assert!(requests >= acknowledged, "{requests} of {acknowledged}");
        spool.close().await;
        acknowledged = acknowledged.max(owed.len());
    }
}

/// Numbers that count up from what is there: each is owed and taken in by itself, and said to be acknowledged when all
/// before it are, too.
async fn acknowledge_for_ever(parent: &Path) {
    let spool = open(parent).await;
    let mut next = owed_targets(&spool).await.len();
    loop {
        let (from, to) = (next, next + 8);
        let owing = join_all((from..to).map(|number| {
            let spool = spool.clone();
            async move { spool.owe(&[warehouse(&format!("w{number}"))], at(number as i128), "d").await }
        }));
        let taking_in = join_all((from..to).map(|number| spool.take_in(request("d", vec![0; number % 3000]))));
        let (owed, taken_in) = futures::join!(owing, taking_in);
        assert!(owed.iter().all(Result::is_ok) && taken_in.iter().all(Result::is_ok));
        eprintln!("acknowledged {to}");
        next = to;
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_heals_by_itself() {
    const TEST: &str = "a_full_disk_is_an_error_and_heals_by_itself";
    if let Some(parent) = std::env::var_os(CHILD) {
        return fill_the_disk(Path::new(&parent)).await;
    }
    let parent = TempDir::new().unwrap();
    let output = child(TEST, parent.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The child has gone through all of it, and not found nothing to test.
    let spool = open(parent.path()).await;
    assert_eq!(owed_targets(&spool).await.last(), Some(&warehouse("then")));
}

fn limit_files(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

async fn fill_the_disk(parent: &Path) {
    let metrics = SpoolMetrics::default();
    let spool = open_with(parent, limits(), &metrics).await;
    spool.owe(&[warehouse("before")], at(1), "d1").await.unwrap();

    limit_files(Some(300_000));
    let mut accepted = Vec::new();
    let error = loop {
        match spool.take_in(request("d", vec![7; 20_000])).await {
            Ok(id) => accepted.push(id),
            Err(error) => break error,
        }
    };
    assert_eq!(error, SpoolError::DiskFull);
    assert!((2..20).contains(&accepted.len()), "{}", accepted.len());
    // As long as it lasts, every sender gets a failure, and nothing that was acknowledged is lost.
    limit_files(Some(4096));
    for _ in 0..2 {
        assert_eq!(spool.owe(&[warehouse("during")], at(2), "d2").await, Err(SpoolError::DiskFull));
    }
    assert_eq!(metrics.failures("full"), 3);
    // A removal is not lost by it.
    spool.settle(&warehouse("before"), at(1));
    until(|| metrics.failures("full") > 3).await;

    limit_files(None);
    spool.owe(&[warehouse("then")], at(3), "d3").await.unwrap();
    assert_eq!(owed_targets(&spool).await, [warehouse("then")]);
    let found: Vec<_> = spool.taken_in(None).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, accepted);
    assert_eq!(spool.counts().intake.requests, accepted.len() as u64);
    assert_eq!((*spool.losses().borrow(), metrics.failures("corrupt")), (0, 0));
    spool.close().await;
}

#[tokio::test]
async fn requests_leave_room_on_the_disk_for_what_is_owed_and_for_their_removal() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let spool = open(parent.path()).await;
    let id = spool.take_in(request("d1", vec![])).await.unwrap();
    spool.close().await;

    // More than any disk has.
    let limits = Limits { reserve: u64::MAX, ..limits() };
    let spool = open_with(parent.path(), limits, &metrics).await;
    assert_eq!(spool.take_in(request("d2", vec![])).await, Err(SpoolError::DiskFull));
    assert_eq!(metrics.failures("full"), 1);
    spool.owe(&[warehouse("a")], at(1), "d3").await.unwrap();
    spool.done(id);
    assert!(spool.taken_in(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_spool_that_cannot_be_made_yet_is_made_as_soon_as_it_can() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    // Where the new store would be written there is something else.
    let obstacle = parent.path().join("spool/spool.redb.new");
    fs::create_dir_all(&obstacle).unwrap();
    let spool = open_with(parent.path(), limits(), &metrics).await;
    assert!(
        matches!(spool.owed().await, Err(SpoolError::Io(_))),
        "it may hold something, so it is not said to be empty"
    );
    assert!(matches!(spool.owe(&[warehouse("a")], at(1), "d1").await, Err(SpoolError::Io(_))));
    assert_eq!(metrics.failures("io"), 3);
    fs::remove_dir(&obstacle).unwrap();
    spool.owe(&[warehouse("a")], at(1), "d1").await.unwrap();
    assert_eq!(owed_targets(&spool).await, [warehouse("a")]);
}

/// The names of the files that were set aside.
fn set_aside(parent: &Path) -> Vec<String> {
    let names =
        fs::read_dir(parent.join("spool")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("spool.redb.corrupt-")).collect()
}

/// The bytes of a store with content, as a clean end or a kill leaves it.
async fn store_with_content(parent: &Path, how: End) -> Vec<u8> {
    let spool = open(parent).await;
    for number in 0..30 {
        spool.owe(&[warehouse(&format!("w{number}"))], at(number), "d").await.unwrap();
    }
    spool.take_in(request("d", vec![5; 10_000])).await.unwrap();
    let killed = fs::read(store_file(parent)).unwrap();
    spool.close().await;
    match how {
        End::Killed => killed,
        End::Closed => fs::read(store_file(parent)).unwrap(),
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Killed,
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_receiving_goes_on() {
    for damage in [Vec::new(), b"no store".to_vec(), vec![0; 100_000]] {
        let parent = TempDir::new().unwrap();
        let metrics = SpoolMetrics::default();
        store_with_content(parent.path(), End::Closed).await;
        fs::write(store_file(parent.path()), &damage).unwrap();

        let spool = open_with(parent.path(), limits(), &metrics).await;
        assert_eq!((*spool.losses().borrow(), metrics.failures("corrupt")), (1, 1));
        let [name] = &set_aside(parent.path())[..] else { panic!("one file is set aside") };
        assert_eq!(fs::read(parent.path().join("spool").join(name)).unwrap(), damage);
        assert_eq!(spool.counts(), Counts::default());
        spool.owe(&[warehouse("a")], at(1), "d1").await.unwrap();
        spool.close().await;
        assert_eq!(owed_targets(&open(parent.path()).await).await, [warehouse("a")]);
    }
}

#[tokio::test]
async fn whatever_part_of_the_file_is_damaged_its_content_is_whole_or_said_to_be_lost() {
    for how in [End::Closed, End::Killed] {
        let parent = TempDir::new().unwrap();
        let whole = store_with_content(parent.path(), how).await;
        let mut lost = 0;
        for page in 0..whole.len() / 4096 {
            let (mut zeroed, mut cut) = (whole.clone(), whole.clone());
            zeroed[page * 4096..][..4096].fill(0);
            cut.truncate(page * 4096 + 1000);
            for damaged in [zeroed, cut] {
                fs::write(store_file(parent.path()), damaged).unwrap();
                let spool = open(parent.path()).await;
                let found = (spool.counts().owed, spool.counts().intake.requests);
                let loss = *spool.losses().borrow();
                assert!(matches!((found, loss), ((30, 1), 0) | ((0, 0), 1)), "{how:?}, page {page}: {found:?} {loss}");
                assert_eq!(owed_targets(&spool).await.len() as u64, found.0);
                assert_eq!(spool.taken_in(None).await.unwrap().len() as u64, found.1);
                lost += loss;
                spool.close().await;
            }
        }
        assert!(lost > 0, "the damage was seen");
    }
}
