//! From one root to the next without a request lost.
//!
//! The edge and a tenant's programs prove themselves to each other by leaves of one root, and hear of a change at
//! different moments. So each change is one that does no harm while only one of them knows it, and the next is made
//! once both do:
//!
//! 1. both are told to trust the next root beside the one in force;
//! 2. the next root signs what both show, and the one before is still trusted;
//! 3. the one before is trusted no more.
//!
//! A root of the same name and key as the one in force, under the same identifier, is the same to whoever trusts either,
//! and takes its place at once.

use serde::{Deserialize, Serialize};

use crate::trust_root::TrustRoot;

/// A root that is trusted beside the one that signs.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Beside {
    pub root: TrustRoot,
    /// Whether it is to sign next; otherwise it did before.
    pub next: bool,
}

/// One step towards `wanted`. `everywhere` says whether both sides go by `root` and `beside` as they are. Whether `root`
/// is another one now, so that everything is to be signed anew.
pub(super) fn step(
    root: &mut TrustRoot,
    beside: &mut Option<Beside>,
    wanted: TrustRoot,
    everywhere: bool,
) -> bool {
    if wanted.is(root) {
        *root = wanted;
        // One that never signed is trusted by nobody for anything.
        if beside
            .as_ref()
            .is_some_and(|beside| beside.next || everywhere)
        {
            *beside = None;
        }
        return false;
    }
    match beside.take() {
        // Both sides trust it once they have followed, also where it is the one that signed before.
        Some(known) if known.root.is(&wanted) => {
            *beside = Some(if everywhere {
                Beside {
                    root: std::mem::replace(root, wanted),
                    next: false,
                }
            } else {
                Beside {
                    root: wanted,
                    ..known
                }
            });
            everywhere
        }
        // What the one before signed may still be shown.
        Some(before) if !before.next && !everywhere => {
            *beside = Some(before);
            false
        }
        _ => {
            *beside = Some(Beside {
                root: wanted,
                next: true,
            });
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use jiff::Timestamp;

    use super::*;

    fn made(count: usize) -> Vec<TrustRoot> {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        (0..count)
            .map(|_| TrustRoot::make("acme", now).unwrap())
            .collect()
    }

    /// Which of `roots` signs, which is trusted beside it, and whether that one is next.
    type State = (usize, Option<(usize, bool)>);

    fn state(roots: &[TrustRoot], root: &TrustRoot, beside: Option<&Beside>) -> State {
        let index = |root: &TrustRoot| roots.iter().position(|one| one.is(root)).unwrap();
        (
            index(root),
            beside.map(|beside| (index(&beside.root), beside.next)),
        )
    }

    /// The states that follow when these are wanted one after the other, each with whether both sides have followed.
    fn states(steps: &[(usize, bool)]) -> Vec<State> {
        let roots = made(3);
        let (mut root, mut beside) = (roots[0].clone(), None);
        let states = steps.iter().map(|(wanted, everywhere)| {
            let before = state(&roots, &root, beside.as_ref());
            let anew = step(&mut root, &mut beside, roots[*wanted].clone(), *everywhere);
            let after = state(&roots, &root, beside.as_ref());
            assert_eq!(anew, before.0 != after.0);
            after
        });
        states.collect()
    }

    #[test]
    fn the_next_root_is_trusted_before_it_signs_and_the_one_before_until_nobody_shows_it() {
        let steps = [
            (1, false),
            (1, false),
            (1, true),
            (1, false),
            (1, true),
            (1, true),
        ];
        let (next, before) = ((0, Some((1, true))), (1, Some((0, false))));
        let expected = [next, next, before, before, (1, None), (1, None)];
        assert_eq!(states(&steps), expected);
    }

    #[test]
    fn a_change_of_mind_takes_no_root_away_that_is_still_shown() {
        // Back before it signed.
        assert_eq!(
            states(&[(1, false), (0, false)]),
            [(0, Some((1, true))), (0, None)]
        );
        // Back after it signed.
        let back = states(&[(1, false), (1, true), (0, false), (0, true), (0, true)]);
        let expected = [
            (0, Some((1, true))),
            (1, Some((0, false))),
            (1, Some((0, false))),
            (0, Some((1, false))),
            (0, None),
        ];
        assert_eq!(back, expected);
        // Back and there again, or to a third one, while the first is still shown.
        for last in [1, 2] {
            let again = states(&[(1, false), (1, true), (0, false), (last, false)]);
            assert_eq!(again[3], (1, Some((0, false))));
        }
        // A third one waits until the first is shown by nobody.
        let third = states(&[(1, false), (1, true), (2, false), (2, true), (2, true)]);
        let expected = [
            (0, Some((1, true))),
            (1, Some((0, false))),
            (1, Some((0, false))),
            (1, Some((2, true))),
            (2, Some((1, false))),
        ];
        assert_eq!(third, expected);
    }

    /// What is told to both sides: the root that signs, and the one that is trusted beside it.
    type Told = (usize, Option<usize>);

    /// What is written, and what each of the two sides goes by, which may be many steps behind.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    struct Sides {
        written: State,
        edge: Told,
        pod: Told,
    }

    impl Sides {
        fn understand_each_other(self) -> bool {
            let trusts =
                |(root, beside): Told, shown: usize| root == shown || beside == Some(shown);
            trusts(self.edge, self.pod.0) && trusts(self.pod, self.edge.0)
        }

        fn told(self) -> Told {
            let (root, beside) = self.written;
            (root, beside.map(|(beside, _)| beside))
        }

        fn edge_follows(self) -> Self {
            let edge = self.told();
            Self { edge, ..self }
        }

        fn pod_follows(self) -> Self {
            let pod = self.told();
            Self { pod, ..self }
        }

        fn step(self, roots: &[TrustRoot], wanted: usize) -> Self {
            let (root, beside) = self.written;
            let mut root = roots[root].clone();
            let mut beside = beside.map(|(index, next)| Beside {
                root: roots[index].clone(),
                next,
            });
            let everywhere = [self.edge, self.pod] == [self.told(); 2];
            step(&mut root, &mut beside, roots[wanted].clone(), everywhere);
            let written = state(roots, &root, beside.as_ref());
            Self { written, ..self }
        }
    }

    /// Everything that can come of one root in force, whatever is wanted when and whoever follows late.
    fn all(roots: &[TrustRoot]) -> HashSet<Sides> {
        let first = Sides {
            written: (0, None),
            edge: (0, None),
            pod: (0, None),
        };
        let (mut seen, mut open) = (HashSet::from([first]), vec![first]);
        while let Some(sides) = open.pop() {
            let followed = [sides.edge_follows(), sides.pod_follows()];
            let stepped = (0..roots.len()).map(|wanted| sides.step(roots, wanted));
            open.extend(
                followed
                    .into_iter()
                    .chain(stepped)
                    .filter(|next| seen.insert(*next)),
            );
        }
        seen
    }

    #[test]
    fn whatever_is_wanted_when_and_whoever_follows_late_each_side_trusts_what_the_other_shows() {
        let all = all(&made(3));
        assert!(all.len() > 20);
        assert!(all.iter().all(|sides| sides.understand_each_other()));
    }

    #[test]
    fn from_wherever_it_stands_a_root_that_is_wanted_for_long_enough_is_the_only_one() {
        let roots = made(3);
        for sides in all(&roots) {
            for wanted in 0..roots.len() {
                let end = (0..5).fold(sides, |sides, _| {
                    sides.edge_follows().pod_follows().step(&roots, wanted)
                });
                assert_eq!(end.written, (wanted, None));
            }
        }
    }
}
