//! Heavy hitters of a stream by three measures at once, with old weight fading: which labels take the most of
//! something, in a few hundred slots, however many labels there are.
//!
//! It is the Space-Saving algorithm (Metwally, Agrawal, El Abbadi, 2005): a label that has no slot takes the slot of
//! the lowest score and inherits that score, so a label can be shown too heavy, by no more than what it inherited,
//! but no label with more than one `slots`-th of all score is ever missing. Three weights (operations, processor
//! time, bytes) would need three tables; here a label's score is the sum of its *shares* of each measure, so a
//! label that is heavy by any of them has a high score, and what has more than three `slots`-ths of any measure
//! is there. The weights themselves are counted since the label got its slot, and so are never too high.
//!
//! Fading is forward decay (Cormode, Shkapenyuk, Srivastava, Xu, 2009): instead of shrinking all slots as time
//! passes, new weights are multiplied by a factor that doubles each half-life. The owner tells the time; from time to time
//! all is scaled back so that no number overflows.
//!
//! Lookup is a scan of an array of hashes, and the lowest score is found by a scan, too: with a few
//! hundred slots that is faster than any index over them, and there is nothing to keep in step.
//! Two labels of one 64-bit hash would be taken for one.

/// How many measures there are: operations, nanoseconds, bytes.
pub const MEASURES: usize = 3;

/// A weight by each measure.
pub type Weights = [f64; MEASURES];

/// After how many half-lives all is scaled back.
const RESCALE: f64 = 64.0;

/// One slot.
#[derive(Clone, Debug)]
struct Slot {
    label: Vec<u8>,
    /// A number of the owner's, part of the label: a database, a client's id.
    tag: u64,
    weights: Weights,
    /// The score that it inherited.
    inherited: f64,
}

/// The sketch. See the module's essay.
#[derive(Clone, Debug)]
pub struct HeavyHitters {
    hashes: Vec<u64>,
    scores: Vec<f64>,
    slots: Vec<Slot>,
    capacity: usize,
    label_max: usize,
    /// All weights ever added, faded likewise.
    totals: Weights,
    half_life: f64,
    /// The time at which a new weight counts once, in seconds.
    origin: f64,
    /// When the first weight was added.
    began: f64,
    growth: f64,
}

/// A label that is heavy.
#[derive(Clone, Debug, PartialEq)]
pub struct Heavy<'a> {
    /// The label, cut at the sketch's limit.
    pub label: &'a [u8],
    /// The owner's number.
    pub tag: u64,
    /// What it has taken a second of late, by each measure.
    pub rates: Weights,
    /// Its shares of all, by each measure.
    pub shares: Weights,
}

impl HeavyHitters {
    /// A sketch of so many slots, whose labels are cut at `label_max` bytes and whose weights halve every
    /// `half_life` seconds (infinity: never). `now` is a time in seconds.
    pub fn new(capacity: usize, label_max: usize, half_life: f64, now: f64) -> Self {
        assert!(capacity > 0 && half_life > 0.0);
        HeavyHitters {
            hashes: Vec::with_capacity(capacity),
            scores: Vec::with_capacity(capacity),
            slots: Vec::new(),
            capacity,
            label_max,
            totals: [0.0; MEASURES],
            half_life,
            origin: now,
            began: now,
            growth: 1.0,
        }
    }

    /// Takes the time, in seconds.
    pub fn set_time(&mut self, now: f64) {
        let lives = (now - self.origin).max(0.0) / self.half_life;
        if lives > RESCALE {
            let factor = (-lives).exp2();
            let scale = |weights: &mut Weights| weights.iter_mut().for_each(|weight| *weight *= factor);
            self.scores.iter_mut().for_each(|score| *score *= factor);
            scale(&mut self.totals);
            for slot in &mut self.slots {
                slot.inherited *= factor;
                scale(&mut slot.weights);
            }
            self.origin = now;
            self.growth = 1.0;
        } else {
            self.growth = lives.exp2();
        }
    }

    /// Adds a weight to a label; `hash` stands for label and tag together.
    pub fn add(&mut self, hash: u64, tag: u64, label: &[u8], weights: Weights) {
        let mut score = 0.0;
        let mut grown = weights;
        for (measure, weight) in grown.iter_mut().enumerate() {
            *weight *= self.growth;
            self.totals[measure] += *weight;
            if self.totals[measure] > 0.0 {
                // relative to what the measure's total is now: shares, but for its growth since
                score += *weight / self.totals[measure] * self.totals[0];
            }
        }
        if let Some(at) = self.hashes.iter().position(|&known| known == hash) {
            self.scores[at] += score;
            add_to(&mut self.slots[at].weights, &grown);
            return;
        }
        let label = &label[..label.len().min(self.label_max)];
        if self.slots.len() < self.capacity {
            self.hashes.push(hash);
            self.scores.push(score);
            self.slots.push(Slot { label: label.to_vec(), tag, weights: grown, inherited: 0.0 });
            return;
        }
        let at = self.lowest();
        self.hashes[at] = hash;
        let slot = &mut self.slots[at];
        slot.inherited = self.scores[at];
        self.scores[at] += score;
        slot.label.clear();
        slot.label.extend_from_slice(label);
        slot.tag = tag;
        slot.weights = grown;
    }

    fn lowest(&self) -> usize {
        let least = self.scores.iter().copied().fold(f64::INFINITY, f64::min);
        self.scores.iter().position(|&score| score == least).unwrap_or(0)
    }

    /// The heaviest labels by one measure, heaviest first, at most `count`. Labels that hold their slot by what
    /// they inherited alone come last.
    pub fn heaviest(&self, measure: usize, count: usize, now: f64) -> Vec<Heavy<'_>> {
        let mut order: Vec<usize> = (0..self.slots.len()).filter(|&at| self.slots[at].weights[measure] > 0.0).collect();
        let weight = |at: usize| self.slots[at].weights[measure];
        order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then_with(|| self.slots[a].label.cmp(&self.slots[b].label)));
        order.truncate(count);
        let per_second = self.per_second(now);
        order
            .into_iter()
            .map(|at| {
                let slot = &self.slots[at];
                let share = |measure: usize| if self.totals[measure] > 0.0 { slot.weights[measure] / self.totals[measure] } else { 0.0 };
                Heavy {
                    label: &slot.label,
                    tag: slot.tag,
                    rates: slot.weights.map(|weight| weight * per_second),
                    shares: [0, 1, 2].map(share),
                }
            })
            .collect()
    }

    /// The weights that labels have as they are, without a rate: for sketches that do not fade.
    pub fn weights(&self, measure: usize, count: usize) -> Vec<(&[u8], f64)> {
        let mut found: Vec<(&[u8], f64)> =
            self.slots.iter().map(|slot| (slot.label.as_slice(), slot.weights[measure])).filter(|(_, weight)| *weight > 0.0).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        found.truncate(count);
        found
    }

    /// What a weight as it is kept comes to a second. A sketch that is younger than a few half-lives holds less than one
    /// that has seen the same load for ever, and is scaled up accordingly.
    fn per_second(&self, now: f64) -> f64 {
        if self.half_life.is_infinite() {
            return 1.0 / (now - self.began).max(1.0);
        }
        let faded = 1.0 / ((now - self.origin).max(0.0) / self.half_life).exp2();
        let seen = 1.0 - (-(now - self.began).max(1.0) / self.half_life).exp2();
        faded * std::f64::consts::LN_2 / self.half_life / seen
    }

    /// Forgets everything.
    pub fn clear(&mut self, now: f64) {
        *self = HeavyHitters::new(self.capacity, self.label_max, self.half_life, now);
    }

    /// Bytes that it takes on the heap.
    pub fn allocated(&self) -> usize {
        let labels: usize = self.slots.iter().map(|slot| slot.label.capacity()).sum();
        self.hashes.capacity() * 8 + self.scores.capacity() * 8 + self.slots.capacity() * size_of::<Slot>() + labels
    }
}

fn add_to(weights: &mut Weights, more: &Weights) {
    weights.iter_mut().zip(more).for_each(|(weight, more)| *weight += more);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::random::Random;

    fn hash(label: u64) -> u64 {
        label.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn add(sketch: &mut HeavyHitters, label: u64, weights: Weights) {
        sketch.add(hash(label), 0, label.to_string().as_bytes(), weights);
    }

    #[test]
    fn what_is_heavy_by_any_measure_is_found_among_very_many() {
        let mut random = Random::from_seed(7);
        let mut sketch = HeavyHitters::new(256, 100, f64::INFINITY, 0.0);
        let mut truth: BTreeMap<u64, Weights> = BTreeMap::new();
        for _ in 0..300_000 {
            let draw = random.next_u64() % 100;
            // 1 has 4 % of the operations, 2 a great share of the time, 3 of the bytes
            let (label, weights) = match draw {
                0..4 => (1, [1.0, 100.0, 50.0]),
                4 => (2, [1.0, 100_000.0, 50.0]),
                5 => (3, [1.0, 100.0, 60_000.0]),
                _ => (1_000 + random.next_u64() % 100_000, [1.0, 100.0, 50.0]),
            };
            add(&mut sketch, label, weights);
            add_to(truth.entry(label).or_default(), &weights);
        }
        for (measure, label) in [(0, 1u64), (1, 2), (2, 3)] {
            let heavy = sketch.heaviest(measure, 3, 1.0);
            assert_eq!(heavy[0].label, label.to_string().as_bytes(), "measure {measure}");
            let exact = truth[&label][measure];
            let (shown, total) = (heavy[0].shares[measure], truth.values().map(|weights| weights[measure]).sum::<f64>());
            assert!(shown <= exact / total * 1.000_001 && shown > exact / total * 0.95, "{shown} for {}", exact / total);
        }
        assert!(sketch.slots.len() == 256 && sketch.allocated() < 256 * 256);
    }

    #[test]
    fn no_label_above_its_guaranteed_share_is_missing() {
        let mut random = Random::from_seed(3);
        let mut sketch = HeavyHitters::new(32, 100, f64::INFINITY, 0.0);
        let mut truth: BTreeMap<u64, f64> = BTreeMap::new();
        for _ in 0..50_000 {
            // a skewed choice: label n comes twice as often as label n + 3
            let label = u64::from(random.next_u64().trailing_zeros()) * 3
                + random.next_u64() % 3
                + 100 * (random.next_u64() % 2) * (random.next_u64() % 50);
            add(&mut sketch, label, [1.0, 1.0, 1.0]);
            *truth.entry(label).or_default() += 1.0;
        }
        let shown: Vec<Vec<u8>> = sketch.heaviest(0, 32, 1.0).iter().map(|heavy| heavy.label.to_vec()).collect();
        for (label, count) in truth.iter().filter(|(_, count)| **count > 50_000.0 / 32.0) {
            assert!(shown.contains(&label.to_string().into_bytes()), "{label} with {count}");
        }
    }

    #[test]
    fn weight_fades_and_rates_are_those_of_late() {
        let mut sketch = HeavyHitters::new(8, 100, 10.0, 0.0);
        // a long time of 1, a short time of 2, at 100 a second each
        for tenth in 0..20_000u32 {
            let now = f64::from(tenth) / 10.0;
            sketch.set_time(now);
            add(&mut sketch, if now < 1_950.0 { 1 } else { 2 }, [10.0, 0.0, 1.0]);
        }
        let heavy = sketch.heaviest(0, 2, 2_000.0);
        assert_eq!(heavy[0].label, b"2");
        assert!((heavy[0].rates[0] - 97.0).abs() < 3.0, "{:?}", heavy[0]);
        assert!((heavy[1].rates[0] - 3.0).abs() < 1.0, "{:?}", heavy[1]);
        // a young one extrapolates
        sketch.clear(2_000.0);
        for tenth in 20_000..20_020u32 {
            sketch.set_time(f64::from(tenth) / 10.0);
            add(&mut sketch, 5, [10.0, 0.0, 0.0]);
        }
        let rate = sketch.heaviest(0, 1, 2_002.0)[0].rates[0];
        assert!((rate - 100.0).abs() < 10.0, "{rate}");
        assert!(sketch.heaviest(1, 1, 2_002.0).is_empty(), "nothing was heavy by that measure");
    }

    #[test]
    fn labels_are_cut() {
        let mut sketch = HeavyHitters::new(2, 3, f64::INFINITY, 0.0);
        sketch.add(1, 4, b"abcdef", [1.0; MEASURES]);
        let heavy = sketch.heaviest(0, 9, 1.0);
        assert_eq!((heavy[0].label, heavy[0].tag), (&b"abc"[..], 4));
        assert_eq!(sketch.weights(0, 9), [(&b"abc"[..], 1.0)]);
    }
}
