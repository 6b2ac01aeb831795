use super::*;

fn seen(layers: &[(&str, u64)]) -> Vec<LayerSeen> {
    layers.iter().map(|(rid, kbits)| LayerSeen { rid: (*rid).into(), bits_per_second: kbits * 1_000 }).collect()
}

fn wish(preferred: &str, under_pressure: Fallback, when_missing: Fallback) -> LayerWish {
    LayerWish { preferred: (!preferred.is_empty()).then(|| preferred.into()), under_pressure, when_missing }
}

fn names(wish: &LayerWish, layers: &[(&str, u64)]) -> String {
    let layers = seen(layers);
    ladder(wish, &layers).iter().map(|layer| &*layer.rid).collect::<Vec<_>>().join(" ")
}

const FHQ: [(&str, u64); 3] = [("q", 150), ("f", 1_200), ("h", 500)];

#[test]
fn ladders_follow_the_words_of_the_api() {
    use Fallback::{Asciibetical, Measured, Never};
    let upside_down = [("0", 100), ("1", 400), ("2", 900)];
    for (preferred, pressure, missing, layers, expected) in [
        ("", Measured, Measured, &FHQ[..], "f h q"),
        ("", Measured, Measured, &upside_down, "2 1 0"),
        ("", Asciibetical, Measured, &upside_down, "0 1 2"),
        ("h", Measured, Measured, &FHQ, "h q"),
        ("h", Asciibetical, Never, &FHQ, "h q"),
        ("h", Never, Never, &FHQ, "h"),
        ("", Never, Never, &FHQ, "f"),
        ("h", Measured, Measured, &[FHQ[0], FHQ[1]], "f q"),
        ("h", Never, Never, &[FHQ[0], FHQ[1]], ""),
        ("h", Measured, Never, &[FHQ[0], FHQ[1]], ""),
        ("h", Never, Asciibetical, &[FHQ[0], FHQ[1]], "q"),
        ("g", Asciibetical, Asciibetical, &FHQ, "h q"),
        ("z", Asciibetical, Asciibetical, &FHQ, ""),
        ("h", Never, Measured, &[FHQ[0]], "q"),
        ("", Measured, Measured, &[], ""),
    ] {
        assert_eq!(
            names(&wish(preferred, pressure, missing), layers),
            expected,
            "{preferred} {pressure:?} {missing:?}"
        );
    }
}

/// One viewer over time.
struct Lone {
    wish: LayerWish,
    layers: Vec<LayerSeen>,
    current: Option<Arc<str>>,
    climb: Climb,
    now: Instant,
}

impl Lone {
    fn new() -> Self {
        let (climb, now) = (Climb::default(), Instant::now());
        Self { wish: LayerWish::default(), layers: seen(&FHQ), current: None, climb, now }
    }

    /// Decide every quarter second and tell each change with its time in milliseconds.
    fn run(&mut self, ms: u64, budget_kbits: u64) -> Vec<(u64, String)> {
        let mut changes = Vec::new();
        for step in (0..ms).step_by(250) {
            let now = self.now + Duration::from_millis(step);
            let current = self.current.clone();
            let mut viewers = [Viewer {
                wish: &self.wish,
                layers: &self.layers,
                current: current.as_deref(),
                climb: &mut self.climb,
            }];
            let given = allocate(now, Some(budget_kbits * 1_000), &mut viewers);
            if given[0].rid != self.current {
                self.current.clone_from(&given[0].rid);
                changes.push((step, self.current.as_deref().unwrap_or("-").to_owned()));
            }
        }
        self.now += Duration::from_millis(ms);
        changes
    }
}

#[test]
fn the_first_layer_is_given_at_once_then_down_at_once_and_up_with_patience() {
    let mut lone = Lone::new();
    assert_eq!(lone.run(2_000, 700), [(0, "h".into())]);
    assert_eq!(lone.run(2_000, 150), [(0, "q".into())]);
    assert_eq!(lone.run(3_000, 5_000), [(1_000, "f".into())]);
}

#[test]
fn the_lowest_layer_is_given_however_little_there_is() {
    assert_eq!(Lone::new().run(1_000, 10), [(0, "q".into())]);
}

#[test]
fn a_rate_that_wavers_around_the_edge_moves_nobody() {
    let mut lone = Lone::new();
    lone.run(1_000, 600);
    for round in 0..20 {
        assert_eq!(lone.run(500, if round % 2 == 0 { 460 } else { 1_400 }), [], "round {round}");
    }
    for round in 0..20 {
        assert_eq!(lone.run(500, if round % 2 == 0 { 1_430 } else { 1_390 }), [], "room must last");
    }
}

#[test]
fn patience_grows_with_every_climb_that_was_too_high_and_is_forgotten_in_calm() {
    let mut lone = Lone::new();
    lone.run(250, 600);
    let mut waited = Vec::new();
    for _ in 0..6 {
        let changes = lone.run(17_000, 2_000);
        waited.push(changes[0].0);
        lone.now -= Duration::from_millis(17_000 - changes[0].0 - 500);
        assert_eq!(lone.run(250, 600), [(0, "h".into())]);
    }
    assert_eq!(waited, [1_000, 2_000, 4_000, 8_000, 16_000, 16_000]);
    lone.run(17_000, 2_000);
    lone.run(20_000, 2_000);
    lone.run(250, 600);
    assert_eq!(lone.run(3_000, 2_000), [(1_000, "f".into())]);
}

#[test]
fn a_layer_that_is_no_longer_sent_is_replaced_at_once() {
    let mut lone = Lone::new();
    lone.run(1_000, 5_000);
    lone.layers.retain(|layer| &*layer.rid != "f");
    assert_eq!(lone.run(1_000, 5_000), [(0, "h".into())]);
}

#[test]
fn viewers_of_one_peer_share_fairly() {
    let (layers, now) = (seen(&FHQ), Instant::now());
    let share = |budget: Option<u64>| -> String {
        let wish = LayerWish::default();
        let mut climbs = [Climb::default(), Climb::default(), Climb::default()];
        let mut viewers: Vec<_> =
            climbs.iter_mut().map(|climb| Viewer { wish: &wish, layers: &layers, current: None, climb }).collect();
        let given = allocate(now, budget.map(|kbits| kbits * 1_000), &mut viewers);
        given.iter().map(|given| given.rid.as_deref().unwrap_or("-")).collect()
    };
    assert_eq!(share(Some(100)), "qqq");
    assert_eq!(share(Some(900)), "hqq");
    assert_eq!(share(Some(1_600)), "hhh");
    assert_eq!(share(Some(2_300)), "fhh");
    assert_eq!(share(None), "fff");
}

#[test]
fn what_is_wished_and_whether_there_is_better_are_told() {
    let (layers, wish) = (seen(&FHQ), LayerWish::default());
    let mut climb = Climb::default();
    let mut viewers = [Viewer { wish: &wish, layers: &layers, current: None, climb: &mut climb }];
    let given = allocate(Instant::now(), Some(200_000), &mut viewers);
    let expected = Given { rid: Some("q".into()), wished_bits_per_second: 1_200_000, waits: true, falls: false };
    assert_eq!(given, [expected]);
}
