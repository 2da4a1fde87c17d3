//! SIGTERM and SIGINT as messages. Runs on a thread of its own that does nothing but wait for them.

use std::io;
use std::mem::MaybeUninit;

/// A request to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

/// From now on SIGTERM and SIGINT arrive here and kill nobody. Call once, on the main thread, before any other thread is made
/// (threads inherit the blocked signals; one that has not would still die of them).
pub fn listen() -> io::Result<flume::Receiver<Signal>> {
    // SAFETY: sigemptyset makes the set valid before it is used; pthread_sigmask only reads it.
    let set = unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        set.assume_init()
    };
    // SAFETY: see above.
    let blocked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
    if blocked != 0 {
        return Err(io::Error::from_raw_os_error(blocked));
    }
    let (sender, receiver) = flume::unbounded();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        loop {
            let mut number = 0;
            // SAFETY: both pointers outlive the call.
            let result = unsafe { libc::sigwait(&set, &mut number) };
            let signal = if number == libc::SIGINT { Signal::Interrupt } else { Signal::Terminate };
            if result == 0 && sender.send(signal).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// A peer that closes its connection is an error of a write, not our end.
pub(super) fn ignore_broken_pipes() {
    // SAFETY: SIG_IGN is no handler that could run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
