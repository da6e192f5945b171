//! Other storage classes and images than those that the backup names.
//!
//! Pure. Every value that an archive holds is known when it is planned, so that what comes in its place
//! is decided here and Velero only carries it out.

use drplan_api::Given;
use drplan_api::Json;
use drplan_kubernetes::NAME_FORM;
use drplan_kubernetes::is_object_name;

use super::spec::Spec;
use crate::index::Item;
use crate::slot::Slot;

/// The characters behind which another part of an image's name begins.
const IMAGE_PARTS: [char; 3] = ['/', ':', '@'];

/// The storage class in the place of another.
pub(crate) fn class<'a>(spec: &'a Spec, name: &'a str) -> &'a str {
    spec.storage_class_map
        .get(name)
        .map_or(name, String::as_str)
}

/// The image in the place of another, if it is another one.
pub(crate) fn image(spec: &Spec, name: &str) -> Option<String> {
    let fits = |from: &&String| {
        let rest = name.strip_prefix(from.as_str());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(IMAGE_PARTS) || from.ends_with(IMAGE_PARTS)
        })
    };
    let from = spec
        .image_map
        .keys()
        .filter(fits)
        .max_by_key(|from| from.len())?;
    let new = format!("{}{}", spec.image_map[from], &name[from.len()..]);
    (new != name).then_some(new)
}

/// Lists what is changed in an object: where, and what comes there.
pub(crate) fn swaps<'a>(item: &'a Item, spec: &'a Spec) -> Vec<(&'a Slot, String)> {
    let classes = item.facts.classes.iter().filter_map(|slot| {
        let new = class(spec, &slot.name);
        (new != slot.name).then(|| (slot, new.to_owned()))
    });
    let images = item.facts.images.iter();
    let images = images.filter_map(|slot| Some((slot, image(spec, &slot.name)?)));
    classes.chain(images).collect()
}

/// Shows an archived object as it comes back.
pub(crate) fn applied(mut body: Json, item: &Item, spec: &Spec) -> Json {
    for (slot, new) in swaps(item, spec) {
        if let Some(name) = body.pointer_mut(&slot.at) {
            *name = new.into();
        }
    }
    body
}

/// Whether a living object still names what another one was to come for.
pub(crate) fn is_unswapped(live: &Json, item: &Item, spec: &Spec) -> bool {
    let swaps = swaps(item, spec);
    let old = |(slot, _): &(&Slot, String)| {
        live.pointer(&slot.at).and_then(Json::as_str) == Some(slot.name.as_str())
    };
    swaps.iter().any(old)
}

/// Refuses names in the maps that nothing can have.
pub(crate) fn check(given: &mut Given<'_>) {
    let what = "name of a storage class";
    given.pairs_are("storage_class_map", is_object_name, what, NAME_FORM);
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-._/:@".contains(c);
    let is_image = |text: &str| !text.is_empty() && text.chars().all(is_inside);
    let hint = "an image has letters, digits and `-._/:@`; nothing stands for anything there";
    given.pairs_are("image_map", is_image, "name of an image", hint);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::archived;
    use super::super::tests::spec;
    use super::*;

    #[test]
    fn the_longest_beginning_that_ends_at_a_part_of_the_name_is_replaced() {
        let spec = spec(json!({"image_map": {
            "old.example/shop": "new.example/shop",
            "old.example/shop/api": "new.example/gateway",
            "nginx:1.25": "mirror.example/nginx:1.27",
            "plain.example/": "secure.example/",
        }}));
        for (old, new) in [
            ("old.example/shop/web:3", Some("new.example/shop/web:3")),
            (
                "old.example/shop/api@sha256:ab",
                Some("new.example/gateway@sha256:ab"),
            ),
            ("old.example/shop/apis:1", Some("new.example/shop/apis:1")),
            ("old.example/shopping:1", None),
            ("nginx:1.25", Some("mirror.example/nginx:1.27")),
            ("nginx:1.256", None),
            ("plain.example/x", Some("secure.example/x")),
            ("other/old.example/shop", None),
        ] {
            assert_eq!(image(&spec, old).as_deref(), new, "{old}");
        }
    }

    #[test]
    fn an_object_is_expected_with_what_comes_in_the_place_of_its_names() {
        let spec = spec(json!({"storage_class_map": {"fast": "slow", "slow": "fast"}}));
        let mut item = archived("persistentvolumeclaims", "shop", "data");
        let body = json!({"spec": {"storageClassName": "fast", "volumeName": "v"}});
        item.facts.classes = crate::slot::classes(&item.resource, &body);
        let expected = applied(body.clone(), &item, &spec);
        assert_eq!(
            expected["spec"],
            json!({"storageClassName": "slow", "volumeName": "v"})
        );
        assert!(is_unswapped(&body, &item, &spec));
        assert!(!is_unswapped(&expected, &item, &spec));
    }

    #[test]
    fn what_can_be_no_name_is_refused_before_anything_is_read() {
        for (args, good) in [
            (json!({"storage_class_map": {"fast": "gp3.csi-1"}}), true),
            (json!({"storage_class_map": {"fast": "Gp3"}}), false),
            (json!({"storage_class_map": {"fast": ""}}), false),
            (
                json!({"image_map": {"a.example:5000/X_y": "b@sha256:0"}}),
                true,
            ),
            (json!({"image_map": {"a\"b": "c"}}), false),
        ] {
            let mut given = Given::new(&args);
            check(&mut given);
            assert_eq!(given.into_faults().is_empty(), good, "{args}");
        }
    }
}
