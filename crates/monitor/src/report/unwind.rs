//! From registers and a copied stack to the addresses of the calls. Names are `symbols`' job.
//!
//! Unwinding follows the modules' call frame information. Where there is none, a frame pointer is believed only if
//! it leads behind a call, and else the stack is searched for such an address.

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MayAllocateDuringUnwind, Module, Unwinder,
    UnwinderNative,
};
use gimli::{BaseAddresses, EhFrame, EndianSlice, LittleEndian, UnwindSection};

use super::elf::{Elf, FrameInfo};
use super::machine::{self, Registers};
use super::modules::{self, Modules};

/// Most frames of one thread.
pub(super) const FRAMES_MAX: usize = 256;
/// How far the stack is searched for a return address, bytes.
const SCAN_BYTES: u64 = 2048;

/// How a frame was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is where the thread stood.
    Context,
    /// By call frame information, or a frame pointer that led behind a call.
    Cfi,
    /// By searching the stack: likely, not certain.
    Scan,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) address: u64,
    /// Whether the address is behind a call, so that the call itself stands before it.
    pub(super) is_return: bool,
    pub(super) trust: Trust,
}

impl Frame {
    /// The address whose function and line are meant.
    pub(super) fn lookup(&self) -> u64 {
        self.address.saturating_sub(u64::from(self.is_return))
    }
}

/// A thread's frames, innermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    pub(super) frames: Vec<Frame>,
    /// Whether there were more that could not be found.
    pub(super) is_truncated: bool,
}

/// A copied stack.
#[derive(Clone, Copy)]
pub(super) struct Stack<'a> {
    pub(super) start: u64,
    pub(super) bytes: &'a [u8],
}

impl Stack<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }
}

/// Unwinds threads of one process.
pub(super) struct Threads<'m, 's> {
    modules: &'m Modules<'s>,
    by_eh_frame: Rules<'s>,
    /// For functions that `.eh_frame` leaves out: the C runtime's own is there even in programs built without.
    by_debug_frame: Rules<'s>,
    known: Vec<usize>,
}

#[derive(Default)]
struct Rules<'s> {
    unwinder: UnwinderNative<&'s [u8], MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

type UnwindModule<'s> = Module<&'s [u8]>;

/// A frame on the way.
#[derive(Clone, Copy)]
struct Place {
    registers: Registers,
    frame: Frame,
}

enum Step {
    To(Place),
    End,
    Lost,
}

impl<'m, 's> Threads<'m, 's> {
    pub(super) fn new(modules: &'m Modules<'s>) -> Self {
        Self { modules, by_eh_frame: Rules::default(), by_debug_frame: Rules::default(), known: Vec::new() }
    }

    /// The frames of a thread with these registers and this stack.
    pub(super) fn trace(&mut self, registers: &[u64], stack: Stack<'_>) -> Trace {
        let Some(registers) = Registers::of(registers) else { return Trace::default() };
        let frame = Frame { address: registers.ip, is_return: false, trust: Trust::Context };
        let mut place = Place { registers, frame };
        let mut frames = vec![frame];
        loop {
            match self.step(place, stack) {
                Step::End => return Trace { frames, is_truncated: false },
                Step::To(next) if frames.len() < FRAMES_MAX => {
                    frames.push(next.frame);
                    place = next;
                }
                Step::To(_) | Step::Lost => return Trace { frames, is_truncated: true },
            }
        }
    }

    fn step(&mut self, place: Place, stack: Stack<'_>) -> Step {
        let Registers { ip, sp, .. } = place.registers;
        if !self.modules.is_code(place.frame.lookup()) {
            let caller = place.registers.of_bad_jump(|at| stack.word(at));
            let caller = caller.filter(|caller| !place.frame.is_return && self.is_behind_call(caller.ip));
            return match caller {
                Some(registers) => Step::To(returned(registers, Trust::Cfi)),
                None => self.scan(place, stack).map_or(Step::Lost, Step::To),
            };
        }
        if self.is_signal_return(ip) {
            let interrupted = Registers::of_signal_frame(sp, |at| stack.word(at));
            return interrupted.map_or(Step::Lost, |registers| {
                let frame = Frame { address: registers.ip, is_return: false, trust: Trust::Cfi };
                Step::To(Place { registers, frame })
            });
        }
        self.follow(place, stack)
    }

    /// One step by the module's own information, if it has any.
    fn follow(&mut self, place: Place, stack: Stack<'_>) -> Step {
        self.learn(place.frame.lookup());
        let is_covered = self.is_covered(place.frame.lookup());
        let mut native = place.registers.native();
        let mut read = |address| stack.word(address).ok_or(());
        let address = match FrameAddress::from_return_address(place.registers.ip) {
            Some(address) if place.frame.is_return => address,
            _ => FrameAddress::from_instruction_pointer(place.registers.ip),
        };
        let rules = if is_covered { &mut self.by_eh_frame } else { &mut self.by_debug_frame };
        let stepped = rules.unwinder.unwind_frame(address, &mut native, &mut rules.cache, &mut read);
        if let Ok(Some(ip)) = stepped {
            let caller = Registers::from_native(&native, ip);
            let is_plausible = self.is_behind_call(ip)
                || self.is_signal_return(ip)
                || (is_covered && self.modules.is_code(ip));
            if caller.sp >= place.registers.sp && is_plausible {
                return Step::To(returned(caller, Trust::Cfi));
            }
        }
        match stepped {
            Ok(None) if is_covered => Step::End,
            _ if self.is_entry(place.frame.lookup()) => Step::End,
            Err(_) if is_covered => Step::Lost,
            // At the outermost function, too, there is nothing to be found.
            Ok(None) => self.scan(place, stack).map_or(Step::End, Step::To),
            Ok(Some(_)) | Err(_) => self.scan(place, stack).map_or(Step::Lost, Step::To),
        }
    }

    /// The nearest word on the stack that is an address behind a call.
    fn scan(&self, place: Place, stack: Stack<'_>) -> Option<Place> {
        let sp = place.registers.sp.checked_next_multiple_of(8)?;
        (sp..sp.checked_add(SCAN_BYTES)?).step_by(8).find_map(|at| {
            let ip = stack.word(at).filter(|word| self.is_behind_call(*word))?;
            let registers = Registers { ip, sp: at.checked_add(8)?, ..place.registers };
            Some(returned(registers, Trust::Scan))
        })
    }

    fn is_behind_call(&self, address: u64) -> bool {
        let code = self.code(address, |elf, stated| elf.code_before(stated, machine::CALL_BYTES_MAX));
        code.is_some_and(machine::ends_with_call)
    }

    fn is_signal_return(&self, address: u64) -> bool {
        let bytes = machine::SIGNAL_RETURN.len() as u64;
        self.code(address, |elf, stated| elf.code_at(stated, bytes)) == Some(machine::SIGNAL_RETURN)
    }

    fn is_entry(&self, address: u64) -> bool {
        let found = self.modules.find(address);
        let elf = found.and_then(|(_, module)| module.elf.as_ref().zip(module.stated(address)));
        elf.is_some_and(|(elf, stated)| elf.is_entry(stated))
    }

    fn code(&self, address: u64, read: impl Fn(&Elf<'s>, u64) -> Option<&'s [u8]>) -> Option<&'s [u8]> {
        let (_, module) = self.modules.find(address).filter(|(_, module)| module.is_code(address))?;
        read(module.elf.as_ref()?, module.stated(address)?)
    }

    /// Hands the unwinders the module of this address, once.
    fn learn(&mut self, address: u64) {
        let Some((index, module)) = self.modules.find(address) else { return };
        if self.known.contains(&index) {
            return;
        }
        self.known.push(index);
        if let Some((eh_frame, debug_frame)) = unwind_data(module) {
            self.by_eh_frame.unwinder.add_module(eh_frame);
            self.by_debug_frame.unwinder.add_module(debug_frame);
        }
    }

    /// Whether the module's own information says how to leave the function at this address.
    fn is_covered(&self, address: u64) -> bool {
        let place = self.modules.find(address).and_then(|(_, module)| {
            let elf = module.elf.as_ref()?;
            Some((elf, module.stated(address)?))
        });
        place.is_some_and(|(elf, stated)| covers(elf.frame_info(), stated))
    }
}

fn covers(info: &FrameInfo<'_>, stated: u64) -> bool {
    let Some((eh_frame, range)) = &info.eh_frame else { return false };
    let bases = BaseAddresses::default().set_eh_frame(range.start);
    let eh_frame = EhFrame::from(EndianSlice::new(eh_frame, LittleEndian));
    let Some((index, range)) = &info.eh_frame_hdr else {
        return eh_frame.fde_for_address(&bases, stated, EhFrame::cie_from_offset).is_ok();
    };
    let bases = bases.set_eh_frame_hdr(range.start);
    let index = gimli::EhFrameHdr::from(EndianSlice::new(index, LittleEndian)).parse(&bases, 8);
    let table = index.as_ref().ok().and_then(|index| index.table());
    table.is_some_and(|table| {
        table.fde_for_address(&eh_frame, &bases, stated, EhFrame::cie_from_offset).is_ok()
    })
}

fn returned(registers: Registers, trust: Trust) -> Place {
    Place { registers, frame: Frame { address: registers.ip, is_return: true, trust } }
}

/// The module as each unwinder sees it. Debug files may hold `.debug_frame` too.
fn unwind_data<'s>(module: &modules::Module<'s>) -> Option<(UnwindModule<'s>, UnwindModule<'s>)> {
    let (elf, bias) = (module.elf.as_ref()?, module.bias()?);
    let (base, info) = (elf.base(), elf.frame_info());
    let (eh_frame, eh_frame_svma) = info.eh_frame.clone().unzip();
    let (eh_frame_hdr, eh_frame_hdr_svma) = info.eh_frame_hdr.clone().unzip();
    let stated = || ExplicitModuleSectionInfo {
        base_svma: base,
        text_svma: elf.section_range(".text"),
        got_svma: elf.section_range(".got"),
        ..Default::default()
    };
    let by_eh_frame =
        ExplicitModuleSectionInfo { eh_frame_svma, eh_frame, eh_frame_hdr_svma, eh_frame_hdr, ..stated() };
    let own_debug = || module.debug().filter(|_| module.is_own)?.section(".debug_frame");
    let debug_frame = info.debug_frame.or_else(own_debug);
    let by_debug_frame = ExplicitModuleSectionInfo { debug_frame, ..stated() };
    let name = module.path.display().to_string();
    let module =
        |sections| Module::new(name.clone(), module.start..module.end, bias.wrapping_add(base), sections);
    Some((module(by_eh_frame), module(by_debug_frame)))
}
