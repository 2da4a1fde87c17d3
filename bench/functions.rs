//! Times functions by themselves: the wire codec, record batches, the offset index. `cargo bench --bench functions -- FILTER`.

mod codec;
mod index;
mod records;
mod timing;

fn main() {
    codec::run();
    records::run();
    index::look_up();
}
