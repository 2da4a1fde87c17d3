//! Polled by hand: no executor, a waker that counts.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task: how often it was woken, and one way to poll for it.
#[derive(Default, Clone)]
struct Task(Arc<Counter>);

impl Task {
    fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.0))))
    }

    fn wakes(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Nobody holds a waker of this task.
    fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

#[test]
fn a_oneshot_carries_its_value_whoever_comes_first() {
    let (sender, receiver) = oneshot();
    sender.send(1);
    assert_eq!(Task::default().poll(std::pin::pin!(receiver)), Poll::Ready(Ok(1)));

    let (sender, mut receiver) = oneshot();
    let task = Task::default();
    assert_eq!(task.poll(Pin::new(&mut receiver)), Poll::Pending);
    sender.send(2);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(Pin::new(&mut receiver)), Poll::Ready(Ok(2)));
}

#[test]
fn a_oneshot_whose_sender_goes_is_closed_and_one_whose_receiver_goes_is_forgotten() {
    let (sender, mut receiver) = oneshot::<u8>();
    let task = Task::default();
    assert_eq!(task.poll(Pin::new(&mut receiver)), Poll::Pending);
    drop(sender);
    assert_eq!((task.wakes(), task.poll(Pin::new(&mut receiver))), (1, Poll::Ready(Err(Closed))));

    let (sender, mut receiver) = oneshot();
    assert_eq!(task.poll(Pin::new(&mut receiver)), Poll::Pending);
    drop(receiver);
    assert!(task.is_forgotten());
    sender.send(1);
}

#[test]
fn an_event_wakes_all_who_listened_before_it_and_none_who_came_after() {
    let event = Event::default();
    let (first, second) = (Task::default(), Task::default());
    let mut early = event.listen();
    let mut also_early = event.listen();
    assert!(first.poll(Pin::new(&mut early)).is_pending());
    assert!(first.poll(Pin::new(&mut early)).is_pending(), "polling again adds no second waker");
    event.notify();
    assert_eq!(first.wakes(), 1);
    assert!(first.poll(Pin::new(&mut early)).is_ready());
    assert!(second.poll(Pin::new(&mut also_early)).is_ready(), "it listened before, though it was first polled after");
    let mut late = event.listen();
    assert!(second.poll(Pin::new(&mut late)).is_pending());
    drop(late);
    assert!(second.is_forgotten());
    event.notify();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
}

#[test]
fn permits_are_given_in_order_and_a_large_request_is_not_overtaken() {
    let semaphore = Semaphore::new(10);
    let held = semaphore.try_acquire(8).unwrap();
    let (large_task, small_task) = (Task::default(), Task::default());
    let mut large = Box::pin(semaphore.acquire(5));
    let mut small = Box::pin(semaphore.acquire(1));
    assert!(large_task.poll(large.as_mut()).is_pending());
    assert!(small_task.poll(small.as_mut()).is_pending(), "2 are free, but the large one is first");
    assert!(semaphore.try_acquire(1).is_none());
    drop(held);
    assert_eq!((large_task.wakes(), small_task.wakes()), (1, 0));
    let Poll::Ready(large) = large_task.poll(large.as_mut()) else { panic!("8 came back") };
    assert_eq!(small_task.wakes(), 1, "who is served wakes the next");
    let Poll::Ready(small) = small_task.poll(small.as_mut()) else { panic!("5 are left") };
    assert_eq!((semaphore.available(), large.units(), small.units()), (4, 5, 1));
    drop((large, small));
    assert_eq!(semaphore.available(), 10);
}

#[test]
fn an_acquire_that_is_given_up_lets_the_next_one_in() {
    let semaphore = Semaphore::new(4);
    let held = semaphore.try_acquire(3).unwrap();
    let (task, next) = (Task::default(), Task::default());
    let mut large = Box::pin(semaphore.acquire(4));
    let mut small = Box::pin(semaphore.acquire(1));
    assert!(task.poll(large.as_mut()).is_pending());
    assert!(next.poll(small.as_mut()).is_pending());
    drop(large);
    assert!(task.is_forgotten());
    assert_eq!(next.wakes(), 1);
    assert!(next.poll(small.as_mut()).is_ready());
    drop(held);
}

#[test]
fn an_acquire_that_was_woken_and_given_up_passes_the_wake_on() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire(1).unwrap();
    let (task, next) = (Task::default(), Task::default());
    let mut first = Box::pin(semaphore.acquire(1));
    let mut second = Box::pin(semaphore.acquire(1));
    assert!(task.poll(first.as_mut()).is_pending());
    assert!(next.poll(second.as_mut()).is_pending());
    drop(held);
    assert_eq!((task.wakes(), next.wakes()), (1, 0));
    drop(first);
    assert_eq!(next.wakes(), 1);
    assert!(next.poll(second.as_mut()).is_ready());
}

#[test]
fn a_permit_is_split_and_every_part_goes_back() {
    let semaphore = Semaphore::new(10);
    let mut permit = semaphore.try_acquire(10).unwrap();
    let part = permit.split(4);
    assert_eq!((permit.units(), part.units()), (6, 4));
    drop(permit);
    assert_eq!(semaphore.available(), 6);
    drop(part);
    assert_eq!(semaphore.available(), 10);
}

#[test]
fn a_queue_keeps_its_order_and_ends_when_every_sender_is_gone() {
    let (sender, mut receiver) = queue();
    let task = Task::default();
    {
        let mut receive = std::pin::pin!(receiver.receive());
        assert!(task.poll(receive.as_mut()).is_pending());
        sender.clone().send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(task.wakes(), 1, "only who waits is woken, once");
        assert_eq!(task.poll(receive.as_mut()), Poll::Ready(Some(1)));
    }
    assert_eq!(receiver.try_receive(), Some(2));
    assert!(task.poll(std::pin::pin!(receiver.receive())).is_pending());
    assert!(task.is_forgotten(), "a receive that is given up leaves no waker");
    let weak = sender.downgrade();
    drop(weak.upgrade().unwrap());
    drop(sender);
    assert!(weak.upgrade().is_none());
    assert_eq!(task.poll(std::pin::pin!(receiver.receive())), Poll::Ready(None));
}

#[test]
fn a_queue_whose_receiver_is_gone_gives_the_item_back() {
    let (sender, receiver) = queue();
    let item = Rc::new(1);
    sender.send(Rc::clone(&item)).unwrap();
    drop(receiver);
    assert_eq!(Rc::strong_count(&item), 1, "what was queued is dropped");
    assert_eq!(sender.send(item), Err(Rc::new(1)));
}
