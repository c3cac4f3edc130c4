//! matchit over routes and paths from two files, one in a line: `matchit_rs ROUTES PATHS PASSES`.
//!
//! Prints a digest of all answers, which the C program must print too, and the nanoseconds of CPU time per match.

use std::ffi::c_long;
use std::hint::black_box;

extern "C" {
    /// C's clock of CPU time, in microseconds on every POSIX system.
    fn clock() -> c_long;
}

fn cpu_time() -> c_long {
    unsafe { clock() }
}

fn lines(path: &str) -> Vec<String> {
    std::fs::read_to_string(path).expect("a file").lines().map(String::from).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (routes, paths) = (lines(&arguments[1]), lines(&arguments[2]));
    let passes: u32 = arguments[3].parse().expect("a number");
    let mut router = matchit::Router::new();
    for (number, route) in routes.iter().enumerate() {
        router.insert(route.as_str(), number).expect("a route");
    }
    let mut digest: u64 = 0;
    for path in &paths {
        let found = router.at(path).expect("a match");
        digest = digest.wrapping_mul(31).wrapping_add(*found.value as u64);
        for (_, value) in found.params.iter() {
            digest = digest.wrapping_mul(31).wrapping_add(value.len() as u64);
        }
    }
    let start = cpu_time();
    for _ in 0..passes {
        for path in &paths {
            black_box(router.at(black_box(path.as_str())).expect("a match"));
        }
    }
    let nanoseconds = (cpu_time() - start) as f64 * 1e3 / f64::from(passes) / paths.len() as f64;
    println!("{digest} {nanoseconds:.3}");
}
