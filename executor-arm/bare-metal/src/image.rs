//! What a board's build script has made of its `board.toml`, as the board's program uses it.

/// The modules `description` (the constants of `board.toml`) and `image` (trusted keys, and actions in flash), what is made
/// from them, and what ends a program: a panic, and `abort`. Used once, in the root of a board's program, which has `MACHINE`,
/// `BOOT_RECORD` and `faults::give_up`.
#[macro_export]
macro_rules! image {
    () => {
        mod description {
            #![allow(dead_code, reason = "not every board uses all of it")]
            include!(concat!(env!("OUT_DIR"), "/description.rs"));
        }

        mod image {
            #[allow(unused_imports, reason = "an image may hold nothing")]
            use $crate::baked::{Aligned, Baked};

            include!(concat!(env!("OUT_DIR"), "/image.rs"));
        }

        /// With the processor's features beyond its target's, and the network device's address.
        fn configuration(cpu_features: &'static [&'static str], mac: [u8; 6]) -> $crate::Configuration {
            $crate::Configuration {
                name: description::NAME,
                trust: image::TRUST,
                baked: image::BAKED,
                containers_max: description::CONTAINERS_MAX,
                instance_max_bytes: description::INSTANCE_MAX_BYTES,
                run_max_ms: description::RUN_MAX_MS,
                cpu_features,
                network: $crate::network::Configuration {
                    mac,
                    dhcp: description::DHCP,
                    address: description::ADDRESS,
                    gateway: description::GATEWAY,
                    action_port: description::ACTION_PORT,
                    control_port: description::CONTROL_PORT,
                },
            }
        }

        /// # Safety
        /// Called once: each region is nobody else's by board.toml's memory map.
        unsafe fn memory(stack_limit: *mut u8) -> $crate::Memory {
            // SAFETY: the caller's promise.
            let region = |place: (usize, usize)| unsafe { $crate::Region::new(place) };
            $crate::Memory {
                code: region(description::CODE),
                pages: region(description::PAGES),
                engine: region(description::ENGINE),
                bodies: region(description::BODIES),
                flash: description::FLASH,
                stack_limit,
            }
        }

        /// Serve, for good, with the processor's features beyond its target's, and the network device and its address.
        ///
        /// # Safety
        /// As `memory`.
        unsafe fn serve<D: $crate::Device + Send + 'static>(
            cpu_features: &'static [&'static str],
            mac: [u8; 6],
            device: D,
            stack_limit: *mut u8,
        ) -> ! {
            // SAFETY: the caller's promise.
            let memory = unsafe { memory(stack_limit) };
            $crate::start(
                &MACHINE,
                memory,
                configuration(cpu_features, mac),
                description::CONNECTIONS,
                &BOOT_RECORD,
                device,
                || MACHINE.enable_timer(),
            )
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            faults::give_up(format_args!("{info}"))
        }

        /// Called by WAMR where it finds itself in a state that it takes for impossible.
        #[unsafe(no_mangle)]
        extern "C" fn abort() -> ! {
            faults::give_up(format_args!("abort"))
        }
    };
}
