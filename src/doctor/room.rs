//! Whether what a recovery brings fits where it is brought to.

use std::collections::BTreeMap;

use drplan_api::ConnId;
use drplan_api::Room;

use super::Item;
use super::State;

/// Thousandths of a CPU in one.
const MILLIS: u64 = 1_000;
/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

/// Judges the room of a target: what the steps bring there against what is free.
pub fn room(conn: &ConnId, wanted: Room, free: Result<Room, String>) -> Item {
    let name = conn.as_str();
    let free = match free {
        Ok(free) => free,
        Err(why) => {
            let found = format!("what its nodes have left cannot be read: {why}");
            return Item::new(name, State::Warning, found);
        }
    };
    let found = format!(
        "the workloads ask for {}; its nodes have {}",
        words(wanted),
        words(free)
    );
    let short = wanted.without(free);
    if short.is_none() {
        return Item::new(name, State::Good, found);
    }
    Item::new(name, State::Bad, found).hint(format!(
        "add nodes for {}, or what does not fit stays Pending; an autoscaler may do it, and is not known here",
        words(short)
    ))
}

/// How much the steps bring to each target, where that can be told.
pub fn wanted(demands: impl IntoIterator<Item = (ConnId, Room)>) -> BTreeMap<ConnId, Room> {
    let mut out = BTreeMap::new();
    for (conn, room) in demands {
        let sum = out.entry(conn).or_insert_with(Room::default);
        *sum = *sum + room;
    }
    out.retain(|_, room| !room.is_none());
    out
}

fn words(room: Room) -> String {
    format!(
        "{}.{:02} CPUs, {} MiB and {} pods",
        room.cpu_m / MILLIS,
        room.cpu_m % MILLIS / 10,
        room.memory_bytes.div_ceil(MIB),
        room.pods
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_bad_and_says_how_much_is_missing() {
        let conn = ConnId::new("kubernetes.b");
        let room_of = |cpu_m, pods| Room {
            cpu_m,
            memory_bytes: 1 << 30,
            pods,
        };
        let item = room(&conn, room_of(2_500, 3), Ok(room_of(2_500, 3)));
        assert_eq!(item.state, State::Good, "{}", item.found);
        let item = room(&conn, room_of(2_500, 3), Ok(room_of(1_000, 3)));
        assert_eq!(item.state, State::Bad);
        assert!(item.hint.is_some_and(|hint| hint.contains("1.50 CPUs")));
        let item = room(&conn, room_of(1, 1), Err("refused".to_owned()));
        assert_eq!(item.state, State::Warning);
    }
}
