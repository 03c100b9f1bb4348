//! A program that has the executor make every system call that guests can cause. Compiled by the test beside it.

use std::collections::HashSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

// What the standard library has no word for.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_datasync(fd: i32) -> i32;
    fn fd_allocate(fd: i32, offset: i64, len: i64) -> i32;
    fn path_symlink(target: *const u8, target_len: usize, fd: i32, path: *const u8, path_len: usize) -> i32;
    fn clock_res_get(id: i32, resolution: *mut u64) -> i32;
    fn path_filestat_set_times(
        fd: i32,
        flags: i32,
        path: *const u8,
        path_len: usize,
        accessed: i64,
        modified: i64,
        which: i32,
    ) -> i32;
}

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    println!("printed");
    std::thread::sleep(Duration::from_millis(1));
    std::thread::yield_now();
    assert!(SystemTime::now().elapsed().is_ok() && Instant::now().elapsed() < Duration::from_secs(60));
    let mut resolution = 0;
    assert_eq!(unsafe { clock_res_get(0, &mut resolution) }, 0);
    let keys: HashSet<u64> = (0..4).map(|_| RandomState::new().hash_one(1)).collect();
    assert!(keys.len() > 1);
    let grown = vec![1_u8; 3 << 20];
    assert_eq!(grown.iter().map(|&byte| usize::from(byte)).sum::<usize>(), 3 << 20);

    let at = |name: &str| format!("/data/{name}");
    let mut file = OpenOptions::new().read(true).write(true).create(true).open(at("file"))?;
    file.write_all(&grown[..100])?;
    file.rewind()?;
    let mut read = Vec::new();
    file.read_to_end(&mut read)?;
    assert_eq!(read.len(), 100);
    assert_eq!(unsafe { fd_allocate(file.as_raw_fd(), 0, 200) }, 0);
    file.set_len(50)?;
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))?;
    file.sync_all()?;
    assert_eq!(unsafe { fd_datasync(file.as_raw_fd()) }, 0);
    OpenOptions::new().append(true).open(at("file"))?.write_all(b"more")?;
    fs::create_dir(at("directory"))?;
    fs::hard_link(at("file"), at("directory/linked"))?;
    fs::rename(at("directory/linked"), at("renamed"))?;
    let (target, link) = ("file", "link");
    // 3: the first granted directory.
    assert_eq!(
        unsafe { path_symlink(target.as_ptr(), target.len(), 3, link.as_ptr(), link.len()) },
        0
    );
    assert_eq!(
        unsafe { path_filestat_set_times(3, 0, link.as_ptr(), link.len(), 0, 1, 4) },
        0
    );
    assert_eq!(fs::read_link(at("link"))?.to_str(), Some("file"));
    assert_eq!(fs::metadata(at("link"))?.len(), 54);
    assert!(fs::symlink_metadata(at("link"))?.is_symlink());
    assert_eq!(fs::read_dir("/data")?.count(), 4);
    fs::remove_dir(at("directory"))?;
    for name in ["file", "renamed", "link"] {
        fs::remove_file(at(name))?;
    }
    // Beyond the grant, whatever the executor itself may read.
    assert!(File::open("/data/../etc/passwd").is_err());
    println!("{{\"done\":true}}");
    Ok(())
}
