//! smoltcp's interface, and its address.

use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle};
use smoltcp::phy::Device;
use smoltcp::socket::dhcpv4;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, Ipv4Address, Ipv4Cidr};

use super::{Configuration, Gate, Operations, Sockets};

/// Who floods the board with frames does not hold up what it does otherwise: the rest is for the next poll.
const FRAMES_AT_ONCE: u32 = 64;

/// If nobody has answered to DHCP by then, the static address is taken.
const DHCP_WAIT_US: u64 = 5_000_000;

/// The network of a device.
pub struct Network<D: Device> {
    device: Gate<D>,
    interface: Interface,
    sockets: Sockets,
    dhcp: Option<SocketHandle>,
    configuration: Configuration,
    has_address: bool,
}

fn instant(now_us: u64) -> Instant {
    Instant::from_micros(i64::try_from(now_us).unwrap_or(i64::MAX))
}

impl<D: Device> Network<D> {
    /// Allocates all that is ever needed. `seed`: another one at each boot.
    pub fn new(device: D, configuration: Configuration, connections: usize, seed: u64, now_us: u64) -> Self {
        let mut device = Gate::new(device);
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(configuration.mac)));
        config.random_seed = seed;
        let interface = Interface::new(config, &mut device, instant(now_us));
        let ports = [configuration.action_port, configuration.control_port];
        let mut sockets = Sockets::new(ports, connections, usize::from(configuration.dhcp));
        let dhcp = configuration.dhcp.then(|| sockets.set().add(dhcpv4::Socket::new()));
        let mut network = Network {
            device,
            interface,
            sockets,
            dhcp,
            configuration,
            has_address: false,
        };
        if dhcp.is_none() {
            network.take_static_address();
        }
        network
    }

    fn take_static_address(&mut self) {
        let ([a, b, c, d], prefix) = self.configuration.address;
        let gateway = Ipv4Address::from(self.configuration.gateway);
        self.take_address(Ipv4Cidr::new(Ipv4Address::new(a, b, c, d), prefix), Some(gateway));
    }

    fn take_address(&mut self, address: Ipv4Cidr, router: Option<Ipv4Address>) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for two.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
        let routes = self.interface.routes_mut();
        routes.remove_default_ipv4_route();
        if let Some(router) = router {
            // There is room for two.
            let _ = routes.add_default_ipv4_route(router);
        }
        self.has_address = true;
        log::info!(
            "listening on {}:{}, and for many actions on port {}",
            address.address(),
            self.configuration.action_port,
            self.configuration.control_port
        );
    }

    fn poll_dhcp(&mut self, now_us: u64) {
        let Some(handle) = self.dhcp else { return };
        let event = match self.sockets.set().get_mut::<dhcpv4::Socket<'_>>(handle).poll() {
            Some(dhcpv4::Event::Configured(lease)) => Some((lease.address, lease.router)),
            _ => None,
        };
        if let Some((address, router)) = event {
            if self.interface.ipv4_addr() != Some(address.address()) {
                self.take_address(address, router);
            }
        } else if !self.has_address && now_us > DHCP_WAIT_US {
            log::warn!("nobody answers to DHCP");
            self.take_static_address();
        }
    }
}

impl<D: Device + Send> Operations for Network<D> {
    fn poll(&mut self, now_us: u64) {
        let now = instant(now_us);
        self.interface.poll_maintenance(now);
        // Frame by frame: each may take a socket that listened, and the next one needs another.
        for _ in 0..FRAMES_AT_ONCE {
            self.device.close(self.sockets.closed_ports());
            let came = self
                .interface
                .poll_ingress_single(now, &mut self.device, self.sockets.set());
            if came == PollIngressSingleResult::None {
                break;
            }
            self.sockets.update(now_us);
        }
        let sockets = self.sockets.set();
        while self.interface.poll_egress(now, &mut self.device, sockets) == PollResult::SocketStateChanged {}
        self.poll_dhcp(now_us);
        self.sockets.update(now_us);
    }

    fn sockets(&mut self) -> &mut Sockets {
        &mut self.sockets
    }
}
