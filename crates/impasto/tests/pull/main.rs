//! Pulling from a server on this machine that stalls, breaks off, lies and serves wrong bytes. Every test checks
//! what is left on the disk.

mod scene;
mod server;

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use impasto::job::{Context, Control, Event, Job};
use impasto::models::{PullError, PullEvent, PullJob, State, find_in, list_in};

use scene::{Scene, data};
use server::{Reply, Server, break_after, fixed, raw, right, silent, stall_after, status, trickle};

#[test]
fn a_good_server() {
    let mut scene = Scene::new(vec![right(&data())]);
    scene.succeeds();
    assert_eq!(scene.starts(), [None]);
    assert_eq!(scene.server.requests()[0].path, "/w/rocket.pth");
    assert_eq!(scene.server.requests()[0].header("accept-encoding"), Some("identity"));
    let total = scene.entry.size;
    assert_eq!(scene.events[0], PullEvent::Started { url: scene.entry.url.clone(), have: 0, total });
    let ends =
        |event: &PullEvent| matches!(event, PullEvent::Progress { bytes, rate, .. } if *bytes == total && *rate > 0.0);
    assert!(scene.events.iter().any(ends), "{:?}", scene.events);
}

#[test]
fn what_was_pulled_is_listed_and_found() {
    let mut scene = Scene::new(vec![right(&data())]);
    scene.succeeds();
    assert_eq!(find_in("rocket", scene.dir.path()), Some(scene.target()));
    assert_eq!(find_in("vgg16", scene.dir.path()), Some(scene.target()));
    let list = list_in(Some(scene.dir.path()));
    let listed = list.iter().find(|model| model.name == "rocket").unwrap();
    assert_eq!((listed.state, listed.path.clone()), (State::Pulled, Some(scene.target())));
}

#[test]
fn a_body_in_chunks() {
    let data = data();
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend_from_slice(&data);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    Scene::new(vec![fixed(&["Transfer-Encoding: chunked"], &body)]).succeeds();
}

#[test]
fn a_body_of_no_stated_length() {
    Scene::new(vec![fixed(&[], &data())]).succeeds();
}

#[test]
fn a_server_that_stalls_is_asked_again_and_then_given_up() {
    let mut scene = Scene::impatient(vec![stall_after(&data(), 20_000), stall_after(&data(), 0)]);
    let error = scene.fails(Some(20_000));
    assert!(matches!(error, PullError::Stalled { have: 20_000, .. }), "{error:?}");
    assert_eq!(scene.starts(), [None, Some(20_000), Some(20_000)]);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut scene = Scene::impatient(vec![silent()]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Stalled { have: 0, .. }), "{error:?}");
}

#[test]
fn a_later_pull_goes_on_where_the_first_stopped() {
    let mut scene = Scene::impatient(vec![stall_after(&data(), 20_000), stall_after(&data(), 0)]);
    scene.fails(Some(20_000));
    scene.server = Server::new(vec![right(&data())]);
    scene.entry.url = scene.server.url("w/rocket.pth");
    scene.succeeds();
    assert_eq!(scene.starts(), [Some(20_000)]);
}

#[test]
fn a_broken_connection_goes_on_with_the_same_representation() {
    let mut scene = Scene::new(vec![break_after(&data(), 50_000), right(&data())]);
    scene.succeeds();
    assert_eq!(scene.starts(), [None, Some(50_000)]);
    assert_eq!(scene.server.requests()[1].header("if-range"), Some("\"one\""));
    assert_eq!(scene.retries(), 1);
}

#[test]
fn a_connection_that_keeps_breaking_but_brings_something_is_not_given_up() {
    let mut scene = Scene::new(vec![break_after(&data(), 10_000)]);
    scene.succeeds();
    assert!(scene.server.requests().len() > scene.options.attempts as usize);
}

#[test]
fn a_connection_that_keeps_breaking_and_brings_nothing_is_given_up() {
    let mut scene = Scene::new(vec![break_after(&data(), 5_000), break_after(&data(), 0)]);
    let error = scene.fails(Some(5_000));
    assert!(matches!(error, PullError::BrokenOff { have: 5_000, .. }), "{error:?}");
}

#[test]
fn a_server_that_ignores_ranges_starts_from_zero() {
    let data = data();
    let length = format!("Content-Length: {}", data.len());
    let mut scene = Scene::new(vec![break_after(&data, 50_000), fixed(&[&length], &data)]);
    scene.succeeds();
    assert_eq!(scene.starts(), [None, Some(50_000)]);
}

#[test]
fn a_server_that_ignores_ranges_and_always_breaks_is_given_up() {
    let data = data();
    let length = format!("Content-Length: {}", data.len());
    let mut scene = Scene::new(vec![fixed(&[&length], &data[..30_000])]);
    let error = scene.fails(Some(30_000));
    assert!(matches!(error, PullError::BrokenOff { have: 30_000, .. }), "{error:?}");
}

#[test]
fn a_server_with_the_wrong_range_is_asked_for_everything() {
    let data = data();
    let shifted = data[1_000..].to_vec();
    let wrong: Reply = Box::new(move |_, stream| {
        let range = format!("Content-Range: bytes 1000-{}/{}", shifted.len() + 999, shifted.len() + 1000);
        server::head(stream, "206 Partial Content", &[range, format!("Content-Length: {}", shifted.len())])?;
        std::io::Write::write_all(stream, &shifted)
    });
    let mut scene = Scene::new(vec![break_after(&data, 50_000), wrong, right(&data)]);
    scene.succeeds();
    assert_eq!(scene.starts(), [None, Some(50_000), None]);
}

#[test]
fn a_stated_size_that_is_wrong_is_refused_before_a_byte_is_kept() {
    for stated in [data().len() + 1, data().len() - 1, 0] {
        let length = format!("Content-Length: {stated}");
        let mut scene = Scene::new(vec![fixed(&[&length], &data()[..stated.min(data().len())])]);
        let error = scene.fails(None);
        assert!(matches!(error, PullError::Size { stated: n, .. } if n == stated as u64), "{error:?}");
        assert_eq!(scene.server.requests().len(), 1);
    }
}

#[test]
fn too_many_bytes_are_refused_and_removed() {
    let mut long = data();
    long.extend_from_slice(&[0; 200_000]);
    let mut scene = Scene::new(vec![fixed(&[], &long)]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::TooLong { .. }), "{error:?}");
}

#[test]
fn too_few_bytes_are_refused_and_kept() {
    let mut scene = Scene::new(vec![fixed(&[], &data()[..40_000])]);
    let error = scene.fails(Some(40_000));
    assert!(matches!(error, PullError::BrokenOff { have: 40_000, .. }), "{error:?}");
}

#[test]
fn wrong_bytes_are_removed() {
    let mut wrong = data();
    wrong[77_000] ^= 1;
    let mut scene = Scene::new(vec![right(&wrong)]);
    let error = scene.fails(None);
    let PullError::Checksum { found, expected, .. } = error else { panic!("{error:?}") };
    assert_eq!((found.len(), expected), (64, scene.entry.sha256.clone()));
    assert_ne!(found, scene.entry.sha256);
    assert_eq!(scene.server.requests().len(), 1);
}

#[test]
fn a_bad_part_from_an_earlier_pull_costs_a_second_download() {
    let mut scene = Scene::new(vec![right(&data())]);
    fs::write(scene.part(), vec![7; 3_000]).unwrap();
    scene.succeeds();
    assert_eq!(scene.starts(), [Some(3_000), None]);
}

#[test]
fn a_whole_part_needs_no_server() {
    let mut scene = Scene::new(vec![status("500 Oops", &[])]);
    fs::write(scene.part(), data()).unwrap();
    scene.succeeds();
    assert!(scene.server.requests().is_empty());
}

#[test]
fn a_part_that_is_too_long_starts_over() {
    let mut scene = Scene::new(vec![right(&data())]);
    fs::write(scene.part(), vec![7; 300_000]).unwrap();
    scene.succeeds();
    assert_eq!(scene.starts(), [None]);
}

#[test]
fn a_file_that_is_not_there() {
    let mut scene = Scene::new(vec![status("404 Not Found", &[])]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Status { status: 404, .. }), "{error:?}");
    assert_eq!(scene.server.requests().len(), 1, "404 is final");
}

#[test]
fn a_mirror_takes_over_and_goes_on() {
    let good = Server::new(vec![right(&data())]);
    let mut scene = Scene::new(vec![break_after(&data(), 50_000), status("403 Forbidden", &[])]);
    scene.entry.mirrors = vec![good.url("mirror")];
    scene.succeeds();
    assert!(scene.events.iter().any(|e| matches!(e, PullEvent::Elsewhere { reason } if reason.contains("403"))));
    assert_eq!(good.requests()[0].start(), Some(50_000));
    assert_eq!(good.requests()[0].header("if-range"), None, "a tag means nothing to another server");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let replies = vec![status("500 Oops", &[]), status("429 Too Many Requests", &[]), right(&data())];
    let mut scene = Scene::new(replies);
    scene.succeeds();
    assert_eq!(scene.retries(), 2);
    let mut scene = Scene::new(vec![status("503 Busy", &[])]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Status { status: 503, .. }), "{error:?}");
    assert_eq!(scene.server.requests().len(), 3);
}

#[test]
fn redirects_are_followed_with_the_range() {
    let mut scene = Scene::new(vec![
        status("302 Found", &["Location: /there"]),
        break_after(&data(), 50_000),
        status("307 Temporary Redirect", &["Location: /over/there"]),
        right(&data()),
    ]);
    scene.succeeds();
    let paths: Vec<_> = scene.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/w/rocket.pth", "/there", "/w/rocket.pth", "/over/there"]);
    assert_eq!(scene.starts(), [None, None, Some(50_000), Some(50_000)]);
}

#[test]
fn redirects_in_a_circle_end() {
    let mut scene = Scene::new(vec![status("302 Found", &["Location: /again"])]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Nonsense { .. }), "{error:?}");
}

#[test]
fn a_slow_trickle_is_no_stall() {
    let mut scene = Scene::impatient(vec![trickle(&data(), 16, Duration::from_millis(150))]);
    scene.options.stall = Duration::from_secs(2);
    scene.succeeds();
    assert_eq!(scene.starts(), [None]);
    let bytes: Vec<_> = scene
        .events
        .iter()
        .filter_map(|event| match event {
            PullEvent::Progress { bytes, .. } => Some(*bytes),
            _ => None,
        })
        .collect();
    assert!(bytes.len() >= 3 && bytes.is_sorted(), "{bytes:?}");
}

#[test]
fn an_answer_that_is_no_http() {
    let mut scene = Scene::new(vec![raw(b"220 mail.example.org ESMTP\r\n\r\n")]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Nonsense { .. }), "{error:?}");
}

#[test]
fn an_answer_of_nothing() {
    let mut scene = Scene::new(vec![raw(b"")]);
    let error = scene.fails(None);
    assert!(matches!(error, PullError::BrokenOff { .. }), "{error:?}");
}

#[test]
fn nobody_there() {
    let mut scene = Scene::new(vec![right(&data())]);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    scene.entry.url = format!("http://{gone}/rocket.pth");
    let error = scene.fails(None);
    assert!(matches!(error, PullError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_there_already_is_checked_and_kept() {
    let mut scene = Scene::new(vec![right(&data())]);
    fs::write(scene.target(), data()).unwrap();
    assert_eq!(scene.pull().unwrap(), scene.target());
    assert_eq!(scene.events[1], PullEvent::Done { path: scene.target(), already: true });
    for other in [data()[1..].to_vec(), vec![0; data().len()]] {
        fs::write(scene.target(), &other).unwrap();
        let error = scene.pull().unwrap_err();
        assert!(matches!(error, PullError::Occupied { .. }), "{error:?}");
        assert_eq!(fs::read(scene.target()).unwrap(), other);
    }
    assert!(scene.server.requests().is_empty());
}

#[test]
fn two_pulls_of_one_file_do_not_mix() {
    let mut scene = Scene::new(vec![trickle(&data(), 10, Duration::from_millis(50)), right(&data())]);
    let job = scene.job();
    let first = thread::spawn(move || job.run(&Context::default()));
    while !scene.part().exists() || fs::metadata(scene.part()).unwrap().len() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, PullError::Busy { .. }), "{error:?}");
    assert_eq!(first.join().unwrap().unwrap(), scene.target());
    assert_eq!(fs::read(scene.target()).unwrap(), data());
    assert_eq!(scene.server.requests().len(), 1);
}

#[test]
fn many_pulls_at_once_end_with_one_right_file() {
    let scene = Scene::new(vec![right(&data())]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| match scene.job().run(&Context::default()) {
                Ok(path) => assert_eq!(fs::read(path).unwrap(), data()),
                Err(error) => assert!(matches!(error, PullError::Busy { .. }), "{error:?}"),
            });
        }
    });
    assert_eq!(fs::read(scene.target()).unwrap(), data());
    assert_eq!(scene.files(), ["rocket.pth", "rocket.pth.toml"]);
}

#[test]
fn a_pull_that_is_stopped_keeps_its_part() {
    let mut scene = Scene::new(vec![trickle(&data(), 100, Duration::from_millis(20)), right(&data())]);
    let control = Control::default();
    let stop = |event: &Event| {
        if event.progress().is_some() {
            control.stop();
        }
    };
    let error = scene.job().run(&Context::new(&stop).with_control(&control)).unwrap_err();
    assert!(matches!(error, PullError::Stopped), "{error:?}");
    let kept = fs::read(scene.part()).unwrap();
    assert!(!kept.is_empty() && kept.len() < data().len() && data().starts_with(&kept));
    assert!(!scene.target().exists());
    scene.succeeds();
    assert_eq!(scene.starts(), [None, Some(kept.len())]);
}

#[test]
fn a_pause_between_attempts_can_be_stopped() {
    let mut scene = Scene::new(vec![status("503 Busy", &[])]);
    let control = Control::default();
    scene.options.backoff = Duration::from_secs(60);
    let start = Instant::now();
    let stop = |event: &Event| {
        if matches!(event, Event::Pull(PullEvent::Retrying { .. })) {
            control.stop();
        }
    };
    let error = scene.job().run(&Context::new(&stop).with_control(&control)).unwrap_err();
    assert!(matches!(error, PullError::Stopped), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "the pause itself is 30 s");
    assert_eq!(scene.files(), [] as [&str; 0]);
}

#[test]
fn a_folder_that_cannot_be() {
    let scene = Scene::new(vec![right(&data())]);
    let file = scene.dir.path().join("file");
    File::create(&file).unwrap();
    let error = PullJob { dir: file.join("models"), ..scene.job() }.run(&Context::default()).unwrap_err();
    assert!(matches!(error, PullError::Folder { .. }), "{error:?}");
    assert!(scene.server.requests().is_empty());
}

#[test]
fn a_part_that_cannot_be_opened() {
    let mut scene = Scene::new(vec![right(&data())]);
    fs::create_dir(scene.part()).unwrap();
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, PullError::File { .. }), "{error:?}");
    assert!(scene.server.requests().is_empty());
}
