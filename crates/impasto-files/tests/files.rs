//! Real files on real file systems: written whole or not at all, told apart, locked.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use impasto_files::{FileError, Lock, LockError, Places, check, open_locked, write, write_to_temporary_folder};

fn put(path: &Path, text: &str) -> Result<(), FileError> {
    write(path, |out| out.write_all(text.as_bytes()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_write_that_fails_leaves_what_was_there_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    put(&path, "old").unwrap();
    let error = write(&path, |out| out.write_all(b"half").and_then(|()| Err(io::Error::other("no ink")))).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write `{}`: no ink", path.display()));
    let panicked = std::panic::catch_unwind(|| write(&path, |_| panic!("in the middle")));
    assert!(panicked.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["a.txt"]);
    put(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn places_that_take_no_file_are_found_out_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    put(&at("file"), "").unwrap();
    let long = "x".repeat(256);
    for (name, words) in [
        ("no/a.txt", "does not exist: make it first"),
        ("file/a.txt", "does not exist: make it first"),
        (".", "is a folder: name a file in it"),
        (&*long, "is too long"),
    ] {
        for result in [check(&at(name)), put(&at(name), "x")] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
        }
    }
    assert_eq!(names(folder.path()), ["file"]);
    check(&at("new")).unwrap();
    assert_eq!(names(folder.path()), ["file"], "nothing stays behind");
}

#[cfg(unix)]
#[test]
fn an_existing_file_keeps_its_mode_and_a_link_its_target() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("d")).unwrap();
    put(&at("d/target"), "old").unwrap();
    fs::set_permissions(at("d/target"), fs::Permissions::from_mode(0o604)).unwrap();
    symlink("d/target", at("link")).unwrap();
    symlink("link", at("chain")).unwrap();
    symlink("d/later", at("dangling")).unwrap();
    symlink("loop", at("loop")).unwrap();

    put(&at("chain"), "new").unwrap();
    assert_eq!(fs::read_to_string(at("d/target")).unwrap(), "new");
    assert_eq!(fs::metadata(at("d/target")).unwrap().permissions().mode() & 0o7777, 0o604);
    put(&at("dangling"), "made").unwrap();
    assert_eq!(fs::read_to_string(at("d/later")).unwrap(), "made");
    for link in ["link", "chain", "dangling"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link} is still a link");
    }
    assert!(put(&at("loop"), "x").unwrap_err().to_string().contains("leads to itself"));
    put(&at("fresh"), "x").unwrap();
    fs::write(at("ordinary"), "x").unwrap();
    let mode = |name| fs::metadata(at(name)).unwrap().permissions().mode();
    assert_eq!(mode("fresh"), mode("ordinary"), "a new file has the mode of any other");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_and_stays_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    check(&pipe).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    put(&pipe, "through").unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert_eq!(names(folder.path()), ["pipe"]);
}

#[test]
fn what_cannot_go_where_it_should_is_kept_under_a_new_name() {
    let kept = |text: &'static [u8]| write_to_temporary_folder("png", |out| out.write_all(text)).unwrap();
    let (one, two) = (kept(b"one"), kept(b"two"));
    assert_ne!(one, two);
    assert_eq!((fs::read(&one).unwrap(), fs::read(&two).unwrap()), (b"one".to_vec(), b"two".to_vec()));
    fs::remove_file(one).unwrap();
    fs::remove_file(two).unwrap();
}

/// A small file system in memory, until it is dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// Nothing where this process may not mount; that is a failure where `IMPASTO_REQUIRE_MOUNT` is set.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        assert!(mounted || std::env::var_os("IMPASTO_REQUIRE_MOUNT").is_none(), "cannot mount a small disk");
        if !mounted {
            let _ = writeln!(io::stderr(), "skipped: cannot mount a small disk here");
        }
        mounted.then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_called_a_full_disk() {
    let Some(disk) = SmallDisk::new() else { return };
    let path = disk.0.path().join("picture");
    put(&path, "old").unwrap();
    let much = vec![7; 1 << 20];
    // However the one who fills the file words its error.
    let plainly = write(&path, |out| out.write_all(&much));
    let wrapped = write(&path, |out| out.write_all(&much).map_err(|_| io::Error::other("cannot encode")));
    for error in [plainly.unwrap_err(), wrapped.unwrap_err()] {
        assert!(matches!(error, FileError::DiskFull(_)), "{error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(disk.0.path()), ["picture"]);
    }
    // The system may take a moment to give back the blocks of a file that was removed.
    let end = Instant::now() + Duration::from_secs(10);
    while let Err(error) = put(&path, "there is room for this") {
        assert!(matches!(error, FileError::DiskFull(_)) && Instant::now() < end, "{error}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "there is room for this");
}

#[test]
fn files_are_told_apart_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("d")).unwrap();
    put(&at("cat.png"), "cat").unwrap();
    fs::hard_link(at("cat.png"), at("hard.png")).unwrap();
    let mut same = vec![("cat.png", "d/../cat.png"), ("cat.png", "hard.png"), ("new.png", "./new.png")];
    same.extend([("new.png", "d/../new.png"), ("later/x/new.png", "./later/x/./new.png")]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("cat.png", at("soft.png")).unwrap();
        symlink("new.png", at("dangling.png")).unwrap();
        symlink("d", at("e")).unwrap();
        same.extend([("cat.png", "soft.png"), ("new.png", "dangling.png"), ("d/new.png", "e/new.png")]);
    }
    for (one, other) in same {
        let mut places = Places::default();
        places.input("the photograph", &at(one)).unwrap();
        let clash = places.output("`--curve`", &at(other)).unwrap_err().to_string();
        assert!(clash.starts_with("`--curve` would overwrite the photograph"), "{one} and {other}: {clash}");
        let mut places = Places::default();
        places.output("`--curve`", &at(other)).unwrap();
        let clash = places.input("the photograph", &at(one)).unwrap_err().to_string();
        assert!(clash.starts_with("`--curve` would overwrite the photograph"), "{one} and {other}: {clash}");
        let clash = places.output("`-o`", &at(one)).unwrap_err().to_string();
        assert!(clash.contains("`--curve` and `-o` would both be written to"), "{one} and {other}: {clash}");
    }
    let mut places = Places::default();
    for name in ["cat.png", "hard.png", "cat.png"] {
        places.input("a picture", &at(name)).unwrap();
    }
    for name in ["new.png", "d/new.png", "later/new.png", "d/cat.png", "no.png"] {
        places.output("an output", &at(name)).unwrap();
    }
}

#[test]
fn capital_letters_count_where_the_file_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    put(&at("probe"), "").unwrap();
    let one_name = at("PROBE").exists();
    let mut places = Places::default();
    places.output("`-o`", &at("Out.png")).unwrap();
    assert_eq!(places.output("`--curve`", &at("out.PNG")).is_err(), one_name);
    assert_eq!(names(folder.path()), ["probe"]);
}

#[test]
fn a_lock_is_held_by_one_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept");
    let lock = Lock::of(&file).unwrap();
    put(&file, "the file may be replaced").unwrap();
    let busy = Lock::of(&folder.path().join("./kept")).unwrap_err();
    assert!(matches!(&busy, LockError::Busy(_)) && busy.to_string().contains("is in use by another run"), "{busy}");
    drop(lock);
    assert_eq!(names(folder.path()), ["kept"]);
    // What a killed process leaves is not locked.
    put(&folder.path().join("kept.lock"), "").unwrap();
    drop(Lock::of(&file).unwrap());
    assert_eq!(names(folder.path()), ["kept"]);
    Lock::of(&folder.path().join("x".repeat(255))).unwrap();
    let held = open_locked(&file).unwrap();
    assert!(open_locked(&file).is_err());
    drop(held);
    open_locked(&file).unwrap();
}
