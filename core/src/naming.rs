//! Names that only a build chooses.

use crate::{
    capability::{Clock, Random},
    failure::Failure,
    image::{self, ImageName, ImageReference, ImageTag},
    plan::BuildPlan,
    settings::{DockerSettings, Naming},
    slug::slugify,
};

/// The name and tag of an image to be built, and both joined with the registry.
pub(crate) struct Chosen {
    pub(crate) name: ImageName,
    pub(crate) tag: ImageTag,
    pub(crate) reference: ImageReference,
}

/// Whether [`choose`] needs a UUID.
pub(crate) fn needs_uuid(settings: &DockerSettings, plan: &BuildPlan) -> bool {
    plan.image.name.is_none() || plan.image.tag.is_none() && settings.naming != Naming::Flow
}

/// Chooses the name and tag that settings and plan leave open.
pub(crate) fn choose(
    settings: &DockerSettings,
    plan: &BuildPlan,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Chosen, Failure> {
    let name = plan.image.name.clone().unwrap_or_else(|| random.uuid());
    let tag = plan.image.tag.clone().unwrap_or_else(|| match settings.naming {
        // `slugify` can fail only for rarer scripts, and a time is ASCII.
        Naming::Flow => slugify(&utc(clock.now())).unwrap_or_default(),
        Naming::Uuid | Naming::Plan => random.uuid(),
    });
    let name: ImageName = name.parse().map_err(Failure::explained)?;
    let tag: ImageTag = tag.parse().map_err(Failure::explained)?;
    let reference = image::join(settings.registry_url.as_ref(), &name, &tag).map_err(Failure::explained)?;
    Ok(Chosen { name, tag, reference })
}

/// ISO 8601 with milliseconds. The calendar is the proleptic Gregorian one, counted from 0000-03-01 so that the leap
/// day is the last of its year.
fn utc(milliseconds: u64) -> String {
    let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year_of_era + carry;
    let (seconds, millis) = (rest / 1000, rest % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by `date --utc --iso-8601=ns --date=@…`.
    #[test]
    fn utc_is_what_date_prints() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (1_571_270_400_000, "2019-10-17T00:00:00.000Z"),
            (1_571_313_600_000, "2019-10-17T12:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(milliseconds), text);
        }
    }

    /// The first start is what `date --utc --date=2000-01-01 +%s` prints.
    #[test]
    fn months_have_their_days() {
        let mut start = 946_684_800_000;
        for (month, days) in (1..).zip([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            assert_eq!(utc(start), format!("2000-{month:02}-01T00:00:00.000Z"));
            start += days * 86_400_000;
            assert_eq!(utc(start - 1), format!("2000-{month:02}-{days}T23:59:59.999Z"));
        }
    }
}
