//! The mesh of real cores without the cores: what a message costs beside the wake-up.

use crate::timing::time;
use ringmill::rt::Mesh;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

type Message = [u64; 8];

pub fn run() {
    let mut ends = Mesh::<Message>::ends(2, 1024, false);
    let (mut receiver, sender) = (ends.pop().expect("two ends"), ends.pop().expect("two ends").sender());
    for burst in [1, 64] {
        time(&format!("mesh/{burst} sent and received"), || {
            for i in 0..burst {
                sender.try_send(1, [i; 8]).expect("it has room");
            }
            (0..burst).map(|_| received(&mut receiver)[0]).sum::<u64>()
        });
    }
}

fn received(mesh: &mut Mesh<Message>) -> Message {
    let message = pin!(mesh.receive());
    let Poll::Ready((_, message)) = message.poll(&mut Context::from_waker(Waker::noop())) else { panic!("a message was sent") };
    message
}
