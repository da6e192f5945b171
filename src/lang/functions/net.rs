//! Functions of networks, for IPv4 and IPv6.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use bigdecimal::ToPrimitive;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::between;
use super::exact;
use crate::lang::Value;

pub(super) const TABLE: &[Function] = &[
    exact("cidrhost", "prefix, number", 2, cidrhost),
    exact("cidrnetmask", "prefix", 1, cidrnetmask),
    exact("cidrsubnet", "prefix, new bits, number", 3, cidrsubnet),
    between("cidrsubnets", "prefix, new bits, …", 1, None, cidrsubnets),
];

/// By how many bits `cidrsubnets` lengthens a prefix at most, as Terraform has it.
const SUBNET_BITS_MAX: u32 = 32;

/// A network: its first address as a number, the length of its prefix, and of an address.
#[derive(Clone, Copy)]
struct Network {
    first: u128,
    prefix: u32,
    bits: u32,
}

impl Network {
    fn parse(args: &Args<'_>) -> Result<Self, Fault> {
        let text = args.text(0)?;
        let wrong = || {
            let shown = args.shown(0);
            Fault::arg(0, format!("{shown} is not a network"))
                .hint("write address and length of the prefix, such as `10.1.0.0/16`")
        };
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let (number, bits) = match address.parse::<IpAddr>().map_err(|_| wrong())? {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= bits);
        let prefix = prefix.ok_or_else(wrong)?;
        let host = bits - prefix;
        Ok(Self {
            first: number & !low(host),
            prefix,
            bits,
        })
    }

    fn address(self, number: u128) -> String {
        if self.bits == 32 {
            Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).to_string()
        } else {
            Ipv6Addr::from_bits(number).to_string()
        }
    }
}

/// Returns a number whose lowest bits are set.
fn low(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |n| n - 1)
}

fn cidrhost(args: &Args<'_>) -> Result<Value, Fault> {
    let network = Network::parse(args)?;
    let hosts = low(network.bits - network.prefix);
    let wanted = args
        .number(1)?
        .to_i128()
        .filter(|_| args.integer(1).is_ok());
    let wanted = wanted.ok_or_else(|| Fault::arg(1, "expected a whole number"))?;
    let number = if wanted < 0 {
        hosts.checked_sub(wanted.unsigned_abs() - 1)
    } else {
        Some(wanted.unsigned_abs())
    };
    match number.filter(|number| *number <= hosts) {
        Some(number) => args::text(network.address(network.first | number)),
        None => Err(Fault::arg(1, "the network has not so many addresses")),
    }
}

fn cidrnetmask(args: &Args<'_>) -> Result<Value, Fault> {
    let network = Network::parse(args)?;
    if network.bits != 32 {
        return Err(Fault::arg(0, "only IPv4 networks have a netmask"));
    }
    args::text(network.address(low(32) & !low(32 - network.prefix)))
}

fn cidrsubnet(args: &Args<'_>) -> Result<Value, Fault> {
    let network = Network::parse(args)?;
    let (new, number) = (args.count(1)?, args.count(2)?);
    let new = u32::try_from(new).unwrap_or(u32::MAX);
    let prefix = network.prefix.saturating_add(new);
    if prefix > network.bits {
        let left = network.bits - network.prefix;
        return Err(Fault::arg(
            1,
            format!("the prefix can grow by {left} bits at most"),
        ));
    }
    let number = number as u128;
    if number > low(new) {
        return Err(Fault::arg(
            2,
            format!("{new} bits are too few for this number"),
        ));
    }
    let shifted = number.checked_shl(network.bits - prefix).unwrap_or(0);
    let address = network.address(network.first | shifted);
    args::text(format!("{address}/{prefix}"))
}

/// Cuts subnets of different sizes from a network, each at the first place behind the one before.
fn cidrsubnets(args: &Args<'_>) -> Result<Value, Fault> {
    let network = Network::parse(args)?;
    let last = network.first | low(network.bits - network.prefix);
    let mut out = Vec::new();
    let mut next = Some(network.first);
    for at in 1..args.len() {
        let new = u32::try_from(args.count(at)?).unwrap_or(u32::MAX);
        let prefix = network.prefix.saturating_add(new);
        if new == 0 || new > SUBNET_BITS_MAX {
            let message = format!("the prefix grows by 1 to {SUBNET_BITS_MAX} bits");
            return Err(Fault::arg(at, message));
        }
        if prefix > network.bits {
            let left = network.bits - network.prefix;
            let message = format!("the prefix can grow by {left} bits at most");
            return Err(Fault::arg(at, message));
        }
        let rest = low(network.bits - prefix);
        let first = next.and_then(|next| next.checked_add(rest));
        let first = first.map(|first| first & !rest);
        let Some(first) = first.filter(|first| (first | rest) <= last) else {
            let message =
                format!("not enough of the network is left for a prefix of {prefix} bits");
            return Err(Fault::arg(at, message).hint("give large subnets before small ones"));
        };
        out.push(Value::string(format!(
            "{}/{prefix}",
            network.address(first)
        )));
        next = (first | rest).checked_add(1);
    }
    args::list(out)
}
