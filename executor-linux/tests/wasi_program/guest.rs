//! A program that uses what Rust's standard library makes of WASI, and checks it. Compiled by the test beside it.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the standard library has no word for an errno.
const ERRNO_NOTEMPTY: i32 = 55;
const ERRNO_ROFS: i32 = 69;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(arguments.len(), 2);
    eprintln!("{} begins", arguments[0]);
    let mut stdin = String::new();
    io::stdin().read_to_string(&mut stdin)?;
    assert_eq!(stdin, arguments[1]);
    let variables: BTreeSet<(String, String)> = std::env::vars().collect();
    println!("{variables:?}");
    println!("{}", std::env::var("__OW_ACTION_NAME").unwrap());

    time();
    let hashes: HashSet<u64> = (0..4).map(|_| RandomState::new().hash_one(1)).collect();
    assert!(hashes.len() > 1);
    files()?;
    directories()?;
    walls();

    io::stdout().write_vectored(&[IoSlice::new(b"{\"result\":"), IoSlice::new(b"4}")])?;
    println!();
    std::process::exit(7);
}

fn time() {
    let (start, date) = (Instant::now(), SystemTime::now());
    std::thread::sleep(Duration::from_millis(30));
    std::thread::yield_now();
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(date.elapsed().unwrap() >= Duration::from_millis(30));
    assert!(date.duration_since(UNIX_EPOCH).unwrap() > Duration::from_secs(1_700_000_000));
}

fn files() -> io::Result<()> {
    assert_eq!(fs::read_to_string("/data/given")?, "from outside");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open("/data/file")?;
    file.write_all(b"0123456789")?;
    file.seek(SeekFrom::End(-4))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    assert_eq!(text, "6789");
    assert_eq!(file.stream_position()?, 10);
    file.rewind()?;
    file.write_all(b"ab")?;
    file.set_len(5)?;
    file.sync_all()?;
    file.sync_data()?;
    let modified = UNIX_EPOCH + Duration::from_nanos(1_600_000_000_123_456_789);
    file.set_times(FileTimes::new().set_modified(modified))?;
    let metadata = file.metadata()?;
    assert!(metadata.is_file() && !metadata.is_symlink());
    assert_eq!((metadata.len(), metadata.modified()?), (5, modified));
    drop(file);
    assert_eq!(fs::metadata("/data/file")?.modified()?, modified);

    let mut log = OpenOptions::new().append(true).create(true).open("/data/log")?;
    log.write_all(b"one\n")?;
    log.seek(SeekFrom::Start(0))?;
    log.write_all(b"two\n")?;
    assert_eq!(fs::read("/data/log")?, b"one\ntwo\n");

    let mut reading = File::open("/data/file")?;
    assert!(reading.write(b"x").is_err());
    let again = OpenOptions::new().write(true).create_new(true).open("/data/file");
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(File::open("/data/none").unwrap_err().kind(), ErrorKind::NotFound);
    fs::hard_link("/data/file", "/data/same")?;
    fs::rename("/data/file", "/data/moved")?;
    assert_eq!(fs::read("/data/moved")?, b"ab234");
    fs::copy("/data/moved", "/data/copy")?;
    fs::remove_file("/data/moved")?;
    assert!(!fs::exists("/data/moved")?);
    assert_eq!(fs::read("/data/same")?, b"ab234");
    assert_eq!(fs::read_link("/data/link")?.to_str(), Some("given"));
    assert!(fs::symlink_metadata("/data/link")?.is_symlink());
    assert_eq!(fs::read("/data/link")?, b"from outside");

    let large: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write("/data/large", &large)?;
    assert!(fs::read("/data/large")? == large);
    Ok(())
}

fn directories() -> io::Result<()> {
    fs::create_dir_all("/data/sub/deeper")?;
    let names: BTreeSet<String> = (0..300)
        .map(|number| format!("a rather long name, number {number}"))
        .collect();
    for name in &names {
        File::create(format!("/data/sub/{name}"))?;
    }
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir("/data/sub")? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap();
        assert_eq!(entry.file_type()?.is_dir(), name == "deeper");
        assert!(seen.insert(name), "every entry once");
    }
    assert!(seen.remove("deeper"));
    assert_eq!(seen, names);
    assert!(fs::metadata("/data/sub")?.is_dir());
    assert_eq!(
        fs::remove_dir("/data/sub").unwrap_err().raw_os_error(),
        Some(ERRNO_NOTEMPTY)
    );
    fs::remove_dir_all("/data/sub")?;
    assert!(!fs::exists("/data/sub")?);
    Ok(())
}

/// What must not work.
fn walls() {
    for path in [
        "/etc/passwd",
        "/data/../outside/secret",
        "/data/way_out/secret",
        "relative",
    ] {
        assert!(File::open(path).is_err(), "{path}");
        assert!(File::create(path).is_err(), "{path}");
    }
    assert_eq!(fs::read("/fixed/given").unwrap(), b"from outside");
    for result in [
        File::create("/fixed/given").map(drop),
        File::create("/fixed/new").map(drop),
        fs::remove_file("/fixed/given"),
        fs::rename("/fixed/given", "/data/stolen"),
        fs::create_dir("/fixed/new"),
    ] {
        assert_eq!(result.unwrap_err().raw_os_error(), Some(ERRNO_ROFS));
    }
    assert!(std::net::TcpStream::connect("127.0.0.1:1").is_err());
}
