//! Every state of the disk that a power cut may leave.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use super::disk::{Change, Disk, Ino, LostSyncs, Node, ROOT};

/// How many names may be pending at a power cut whose images are to be enumerated.
pub const MAX_PENDING_NAMES: usize = 12;
/// How many images one power cut may leave.
pub const MAX_IMAGES: usize = 1 << 16;

/// What distinguishes two images: every reachable entry in order of its path. Times do not count.
pub(in crate::fs) type Content = Vec<(String, usize, FoundEntry)>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::fs) enum FoundEntry {
    File(Arc<[u8]>),
    Link(String),
    Other(crate::fs::Kind),
}

impl Disk {
    /// Returns every image, each once; the oldest state comes first.
    ///
    /// # Panics
    /// With more pending names than [`MAX_PENDING_NAMES`], or more images than [`MAX_IMAGES`].
    pub(super) fn images(&self) -> Vec<Disk> {
        let names: BTreeSet<_> =
            self.pending.iter().flat_map(|c| &c.writes).map(|w| (w.dir, Arc::clone(&w.name))).collect();
        assert!(
            names.len() <= MAX_PENDING_NAMES,
            "{} names are pending, and images are enumerated for at most {MAX_PENDING_NAMES}: \
             sync folders earlier, or cut the procedure into smaller ones: {:?}",
            names.len(),
            names.iter().map(|(_, name)| name).collect::<Vec<_>>(),
        );
        let mut images = Images { known: HashSet::new(), images: Vec::new() };
        self.survivors(&mut Vec::new(), &mut images);
        images.images
    }

    /// Goes on from the pending changes decided so far, in `kept`, to the next: lost, or kept if it can be.
    fn survivors(&self, kept: &mut Vec<Option<Change>>, images: &mut Images) {
        let Some(change) = self.pending.get(kept.len()) else {
            let kept: Vec<_> = kept.iter().flatten().cloned().collect();
            return self.rebooted(&kept).torn(images);
        };
        kept.push(None);
        self.survivors(kept, images);
        kept.pop();
        let lost = self.pending.iter().zip(kept.iter()).filter(|(_, kept)| kept.is_none()).map(|(change, _)| change.id);
        if !lost.into_iter().any(|lost| change.after.contains(&lost)) {
            kept.push(Some(change.clone()));
            self.survivors(kept, images);
            kept.pop();
        }
    }

    /// Returns the disk as it is found when these changes survived; contents are still undecided.
    fn rebooted(&self, kept: &[Change]) -> Disk {
        let mut disk = self.clone();
        disk.make_durable(kept);
        for inode in disk.inodes.values_mut() {
            if let Node::Dir { live, durable } = &inode.node
                && !Arc::ptr_eq(live, durable)
                && let Node::Dir { live, durable } = &mut Arc::make_mut(inode).node
            {
                *live = Arc::clone(durable);
            }
        }
        disk.pending.clear();
        disk.locked.clear();
        (disk.steps, disk.syncs, disk.cut_after, disk.off) = (0, 0, None, false);
        if matches!(disk.lost_syncs, LostSyncs::Nth(_)) {
            disk.lost_syncs = LostSyncs::None;
        }
        disk
    }

    /// Decides the contents of every reachable file that was not synced, in all combinations.
    fn torn(&self, images: &mut Images) {
        let reachable = self.reachable();
        let unsynced = reachable.iter().find_map(|&ino| match self.node(ino) {
            Node::File { live, synced } if live != synced => Some((ino, Arc::clone(live), Arc::clone(synced))),
            _ => None,
        });
        let Some((ino, live, synced)) = unsynced else {
            return images.add(self.clone());
        };
        let half = Arc::from(&live[..live.len() / 2]);
        let zeros = Arc::from(vec![0; live.len()]);
        let candidates: [Arc<[u8]>; 5] = [synced, Arc::default(), half, zeros, live];
        for contents in candidates {
            let mut disk = self.clone();
            if let Some(inode) = disk.inode_mut(ino) {
                inode.node = Node::File { live: Arc::clone(&contents), synced: contents };
            }
            disk.torn(images);
        }
    }

    fn reachable(&self) -> BTreeSet<Ino> {
        let mut found = BTreeSet::from([ROOT]);
        let mut open = vec![ROOT];
        while let Some(ino) = open.pop() {
            if let Node::Dir { live, .. } = self.node(ino) {
                open.extend(live.values().copied().filter(|&ino| found.insert(ino)));
            }
        }
        found
    }

    /// Returns what a reader can find; names that share a file differ from names that do not.
    pub(super) fn content(&self) -> Content {
        let mut content = Content::new();
        let mut order = Vec::new();
        self.describe(ROOT, "", &mut order, &mut content);
        content
    }

    fn describe(&self, ino: Ino, path: &str, order: &mut Vec<Ino>, content: &mut Content) {
        let number = order.iter().position(|&known| known == ino).unwrap_or_else(|| {
            order.push(ino);
            order.len() - 1
        });
        let found = match self.node(ino) {
            Node::File { live, .. } => FoundEntry::File(Arc::clone(live)),
            Node::Link { target } => FoundEntry::Link(target.clone()),
            Node::Special { kind } => FoundEntry::Other(*kind),
            Node::Dir { .. } => FoundEntry::Other(crate::fs::Kind::Dir),
        };
        content.push((path.to_owned(), number, found));
        if let Node::Dir { live, .. } = self.node(ino) {
            for (name, &ino) in live.iter() {
                self.describe(ino, &format!("{path}/{name}"), order, content);
            }
        }
    }
}

struct Images {
    known: HashSet<Content>,
    images: Vec<Disk>,
}

impl Images {
    fn add(&mut self, disk: Disk) {
        if self.known.insert(disk.content()) {
            assert!(
                self.images.len() < MAX_IMAGES,
                "a power cut here may leave more than {MAX_IMAGES} images: sync earlier, or cut the procedure up"
            );
            self.images.push(disk);
        }
    }
}
