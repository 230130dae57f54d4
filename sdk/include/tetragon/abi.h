/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TETRAGON_ABI_H
#define TETRAGON_ABI_H

/*
 * The border between the daemon and a plugin. C11, fixed-width types, nothing else.
 *
 * Contract
 *  - A plugin is a shared object that exports exactly one symbol, the constant object `tetragon_plugin_v1`.
 *    The major version is in the name: a change that cannot be appended gets `tetragon_plugin_v2` beside it.
 *  - Every struct begins with `struct_size`, set by the side that made it. Fields are only ever appended. A reader
 *    uses a field only if TETRAGON_HAS says that the writer knew it. In option structs (`*_opts`), bytes beyond what
 *    the reader knows must be zero, else the call is refused: an option that is not understood is never ignored.
 *  - Lists are arrays of pointers, so that elements may grow.
 *  - Memory: each side frees what it made. A view (tetragon_str, tetragon_bytes) is valid during the call only,
 *    unless the comment says otherwise. Views are not NUL-terminated and may hold any byte.
 *  - No exception, longjmp or signal crosses the border. Functions answer 0 or a negative tetragon_rc and set the
 *    error text with host->set_error before they answer a negative code.
 *  - Threads: create, start, scan, refresh, hook_add, hook_remove, stop and destroy are called by one thread at a time.
 *    decode is called from one reader thread at a time and must be a pure function of its arguments. Host functions may
 * be called from any thread between create and the end of destroy, unless the comment says otherwise.
 *  - A plugin runs inside the daemon with all of its rights: loading one is trust, not isolation (see ABI.md).
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TETRAGON_ABI_MINOR 2u
#define TETRAGON_PLUGIN_SYMBOL "tetragon_plugin_v1"
#define TETRAGON_EXPORT __attribute__((visibility("default"), used))

/* True when the writer of *p knew the field. */
#define TETRAGON_HAS(p, field) ((p)->struct_size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field))

typedef int32_t tetragon_rc;
enum {
  TETRAGON_OK = 0,
  TETRAGON_E_INVALID = -1,     /* wrong input */
  TETRAGON_E_UNSUPPORTED = -2, /* not possible on this kernel or machine; the error text says why */
  TETRAGON_E_NOT_FOUND = -3,
  TETRAGON_E_EXISTS = -4,
  TETRAGON_E_LIMIT = -5,
  TETRAGON_E_PERMISSION = -6,
  TETRAGON_E_SYSTEM = -7, /* a system call failed; errno is in the error text */
  TETRAGON_E_STATE = -8,  /* not possible in this phase of the life cycle */
  TETRAGON_E_INTERNAL = -9
};

typedef struct tetragon_str {
  const char* data;
  uint64_t size;
} tetragon_str;

typedef struct tetragon_bytes {
  const void* data;
  uint64_t size;
} tetragon_bytes;

/* ---- processes ------------------------------------------------------------------------------------------------- */

/* Identity of one process image: thread group id in the host's pid namespace and CLOCK_BOOTTIME nanoseconds of its
 * exec (of its clone, until it execs). All zero: unknown. */
typedef struct tetragon_process_key {
  uint64_t start_ns;
  uint32_t pid;
  uint32_t reserved;
} tetragon_process_key;

enum { /* tetragon_process_exec.flags; the words of process.flags */
       TETRAGON_EXEC_EXECVE = 0x1,
       TETRAGON_EXEC_PROCFS = 0x4,
       TETRAGON_EXEC_ERROR_ENVS = 0x8,
       TETRAGON_EXEC_TRUNC_ARGS = 0x10,
       TETRAGON_EXEC_MISS = 0x40,
       TETRAGON_EXEC_ERROR_FILENAME = 0x100,
       TETRAGON_EXEC_ERROR_ARGS = 0x200,
       TETRAGON_EXEC_NO_CWD = 0x800,
       TETRAGON_EXEC_ROOT_CWD = 0x1000,
       TETRAGON_EXEC_ERROR_CWD = 0x2000,
       TETRAGON_EXEC_CLONE = 0x4000,
       TETRAGON_EXEC_ERROR_CGROUP_NAME = 0x10000,
       TETRAGON_EXEC_ERROR_CGROUP_SUBSYS_CGRP = 0x40000,
       TETRAGON_EXEC_ERROR_CGROUP_SUBSYS = 0x80000,
       TETRAGON_EXEC_ERROR_CGROUPS = 0x100000,
       TETRAGON_EXEC_ERROR_CGROUP_ID = 0x200000,
       TETRAGON_EXEC_ERROR_PATH_CWD = 0x400000,
       TETRAGON_EXEC_DATA_FILENAME = 0x800000,
       TETRAGON_EXEC_DATA_ARGS = 0x1000000,
       TETRAGON_EXEC_IN_INIT_TREE = 0x2000000,
       TETRAGON_EXEC_QUIET =
           0x4000000 /* no word: known to the cache, but not reported (kernel threads found at start) */
};

enum { /* tetragon_process_exec.privileges: why privileges were raised by this exec */
       TETRAGON_PRIV_FILE_CAPS = 0x1,
       TETRAGON_PRIV_SETUID = 0x2,
       TETRAGON_PRIV_SETGID = 0x4
};

enum { /* index into tetragon_process_exec.namespaces: inode number of each namespace, 0 when the kernel has none */
       TETRAGON_NS_UTS,
       TETRAGON_NS_IPC,
       TETRAGON_NS_MNT,
       TETRAGON_NS_PID,
       TETRAGON_NS_PID_FOR_CHILDREN,
       TETRAGON_NS_NET,
       TETRAGON_NS_TIME,
       TETRAGON_NS_TIME_FOR_CHILDREN,
       TETRAGON_NS_CGROUP,
       TETRAGON_NS_USER,
       TETRAGON_NS_COUNT
};

typedef struct tetragon_credentials {
  uint32_t struct_size;
  uint32_t uid, gid, euid, egid, suid, sgid, fsuid, fsgid; /* as seen from the initial user namespace */
  uint32_t securebits;
  uint64_t cap_permitted, cap_effective, cap_inheritable; /* bit n = capability n */
  int32_t user_ns_level;                                  /* 0: the initial user namespace */
  uint32_t user_ns_uid, user_ns_gid;                      /* its owner */
  uint32_t user_ns_inum;
} tetragon_credentials;

/* A new process image, or (with TETRAGON_EXEC_PROCFS) one that ran before the daemon. */
typedef struct tetragon_process_exec {
  uint32_t struct_size;
  uint32_t flags;
  tetragon_process_key process;
  tetragon_process_key parent;
  tetragon_process_key replaced; /* image of the same process that this exec ended; zero: the newest one with its pid */
  uint64_t time_ns;              /* CLOCK_BOOTTIME */
  uint32_t tid;
  uint32_t uid;        /* effective */
  uint32_t auid;       /* login uid, 4294967295 when unset */
  uint32_t ns_pid;     /* pid in the innermost pid namespace */
  uint32_t parent_pid; /* used when `parent` is unknown */
  uint32_t privileges; /* TETRAGON_PRIV_* */
  uint32_t file_links; /* hard links of the executed file; 0: deleted or memfd */
  uint32_t file_valid; /* 1: file_inode and file_links were read */
  uint64_t file_inode;
  uint64_t cgroup_id;
  tetragon_str filename; /* as the kernel resolved it: may be relative to cwd; comm for kernel threads */
  tetragon_str cwd;
  tetragon_str cgroup_name;
  tetragon_bytes args; /* NUL-separated, argv[0] first */
  tetragon_bytes envs; /* NUL-separated KEY=VALUE */
  uint64_t args_data;  /* id of out-of-line pieces that follow `args`, 0: none */
  uint64_t envs_data;
  const tetragon_credentials* credentials; /* may be NULL */
  uint32_t namespaces[TETRAGON_NS_COUNT];
} tetragon_process_exec;

typedef struct tetragon_process_clone {
  uint32_t struct_size;
  uint32_t flags; /* TETRAGON_EXEC_IN_INIT_TREE, TETRAGON_EXEC_MISS */
  tetragon_process_key process;
  tetragon_process_key parent;
  uint64_t time_ns;
  uint32_t tid;
  uint32_t ns_pid;
  uint32_t parent_pid;
  uint32_t reserved;
} tetragon_process_clone;

typedef struct tetragon_process_exit {
  uint32_t struct_size;
  uint32_t code; /* the kernel's exit code: status << 8 | 0x80 core dumped | signal */
  tetragon_process_key process;
  uint64_t time_ns;
  uint32_t tid;
  uint32_t reserved;
} tetragon_process_exit;

/* A piece of something too long for one record. Pieces of one id come in order, before the event that names the id. */
typedef struct tetragon_data {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t id; /* unique among data that wait; never 0 */
  tetragon_bytes piece;
} tetragon_data;

/* ---- all other events ------------------------------------------------------------------------------------------ */

enum {
  TETRAGON_ARG_STRING = 1, /* s */
  TETRAGON_ARG_BYTES = 2,  /* b */
  TETRAGON_ARG_INT = 3,    /* i, 32 bit */
  TETRAGON_ARG_UINT = 4,   /* u, 32 bit */
  TETRAGON_ARG_LONG = 5,   /* i, 64 bit */
  TETRAGON_ARG_SIZE = 6    /* u, 64 bit */
};

typedef struct tetragon_arg {
  uint32_t struct_size;
  uint32_t kind; /* TETRAGON_ARG_* */
  tetragon_str label;
  union {
    int64_t i;
    uint64_t u;
    tetragon_str s;
    tetragon_bytes b;
  } value;
} tetragon_arg;

/* Exported as process_plugin {process, parent, plugin, event, args}. */
typedef struct tetragon_event {
  uint32_t struct_size;
  uint32_t tid;
  tetragon_process_key process; /* start_ns 0: the current image of process.pid */
  uint64_t time_ns;             /* CLOCK_BOOTTIME */
  tetragon_str name;            /* lower-case words joined by '_' */
  tetragon_str message;
  const tetragon_arg* const* args;
  uint32_t arg_count;
  uint32_t reserved;
} tetragon_event;

/* One value of a hook's record: what the engine (bpf/lib/hook) read into a slot. 1.1 */
typedef struct tetragon_hook_value {
  uint32_t struct_size;
  uint8_t slot;
  uint8_t flags; /* TG_ARG_* of shared/hook.h */
  uint16_t reserved;
  int32_t status;     /* 0, or the negative errno with which it could not be read */
  uint32_t full_size; /* of the object, when more than `bytes` */
  tetragon_bytes bytes;
} tetragon_hook_value;

/* A hook of a policy was hit. The host knows the hook by its number: policy, function and the types of its values. 1.1
 */
typedef struct tetragon_hook_event {
  uint32_t struct_size;
  uint32_t tid;
  tetragon_process_key process; /* start_ns 0: the current image of process.pid */
  uint64_t time_ns;             /* CLOCK_BOOTTIME */
  uint32_t hook;
  uint32_t instance;
  uint8_t phase;    /* TG_PHASE_* of shared/hook.h */
  uint8_t selector; /* that matched, 255: the hook has none */
  uint8_t action;   /* 1.2: TG_ACTION_* of shared/action.h: the last one that ran in the kernel; 0: none */
  uint8_t reserved;
  uint32_t value_count;
  uint64_t call; /* what entry and return of one call have in common */
  const tetragon_hook_value* const* values;
} tetragon_hook_event;

/* A file was mapped executable, exported as process_loader. 1.1 */
typedef struct tetragon_loader_event {
  uint32_t struct_size;
  uint32_t tid;
  tetragon_process_key process;
  uint64_t time_ns;
  tetragon_str path;
  tetragon_bytes build_id; /* empty: none, or not readable */
} tetragon_loader_event;

/* Where a decoder puts what it read. Every function copies what it keeps before it returns. */
typedef struct tetragon_event_out {
  uint32_t struct_size;
  uint32_t reserved;
  void* ctx;
  void (*process_exec)(void* ctx, const tetragon_process_exec* event);
  void (*process_clone)(void* ctx, const tetragon_process_clone* event);
  void (*process_exit)(void* ctx, const tetragon_process_exit* event);
  void (*data)(void* ctx, const tetragon_data* data);
  void (*event)(void* ctx, const tetragon_event* event);
  /* 1.1 */
  void (*hook)(void* ctx, const tetragon_hook_event* event);
  void (*loader)(void* ctx, const tetragon_loader_event* event);
} tetragon_event_out;

/* ---- what a plugin registers ----------------------------------------------------------------------------------- */

/* One kind of record that the plugin's BPF programs (or its scan) write. `kind` is the plugin's own number: the host
 * adds the plugin's run-time number, so nobody queues for a slot in a central list. */
typedef struct tetragon_record_kind {
  uint32_t struct_size;
  uint16_t kind;
  uint16_t reserved;
  uint32_t min_size; /* shorter records are counted as bad and never reach decode */
  tetragon_str name; /* for metrics and logs */
  /* Pure: no globals, no allocation in the steady state, no host call. `record` starts with struct tg_record and is
   * 8-byte aligned. TETRAGON_E_INVALID: the record cannot be decoded; it is counted and dropped. */
  tetragon_rc (*decode)(const void* record, uint64_t size, const tetragon_event_out* out);
} tetragon_record_kind;

/* What an argument type compares like: which operators of the language it takes. 1.1 */
enum {
  TETRAGON_COMPARE_NONE,
  TETRAGON_COMPARE_NUMBER, /* Equal, GT, Mask, InMap, … on the first 8 bytes as an unsigned number */
  TETRAGON_COMPARE_NUMBER_SIGNED,
  TETRAGON_COMPARE_TEXT /* Equal, Prefix, Postfix on the bytes */
};

/* A member of `btf_type` that the reader copies, e.g. "f_inode.i_ino"; the host finds it in the kernel's BTF. All
 * members of a type must be behind the same pointers: "f_inode.i_ino" and "f_inode.i_mode", but not "f_mode". 1.1 */
typedef struct tetragon_arg_member {
  uint32_t struct_size;
  uint32_t size; /* bytes to copy; 0: as many as the member has */
  tetragon_str path;
} tetragon_arg_member;

/* An argument type that policies may name, with its decoder. Registered types extend the language for every hook. */
typedef struct tetragon_arg_type {
  uint32_t struct_size;
  uint32_t reserved;
  tetragon_str name;
  tetragon_str btf_type; /* kernel type the reader resolves, e.g. "struct file"; empty: a scalar */
  tetragon_rc (*decode)(tetragon_bytes raw, tetragon_arg* ret_arg);
  /* 1.1: what the reader copies, one behind the other, from the object the argument points to (at most 8); none: the
   * argument itself, 8 bytes. */
  uint32_t member_count;
  uint32_t compare; /* TETRAGON_COMPARE_* */
  const tetragon_arg_member* const* members;
} tetragon_arg_type;

/* An operator of matchArgs, made of operators the engine has. 1.1 */
typedef struct tetragon_operator {
  uint32_t struct_size;
  uint32_t compare;   /* TETRAGON_COMPARE_*: types it applies to */
  tetragon_str name;  /* as policies spell it */
  tetragon_str lower; /* operator of the language that stands for it: "Equal", "Prefix", "InRange", … */
  /* One value of the policy -> values of `lower`, each handed to add. May run without root and without a kernel. */
  tetragon_rc (*parse_value)(tetragon_str value, void* ctx, void (*add)(void* ctx, tetragon_str lowered));
} tetragon_operator;

/* An ELF file built for BPF, embedded in the plugin; valid while the plugin is loaded. */
typedef struct tetragon_bpf_elf {
  uint32_t struct_size;
  uint32_t reserved;
  tetragon_str name;
  tetragon_bytes elf;
} tetragon_bpf_elf;

/* ---- hooks of policies (1.1) ------------------------------------------------------------------------------------- */

typedef struct tetragon_hook tetragon_hook; /* one hook of a policy; the host's */

/* One place where a hook is attached. */
typedef struct tetragon_hook_target {
  uint32_t struct_size;
  uint32_t instance; /* the number that records of this place carry */
  tetragon_str name; /* kprobes, fentries: the function as the kernel spells it; tracepoints: "subsystem/event" (raw:
                      * the tracepoint); lsmhooks: the hook; uprobes: the symbol or empty; usdts: "provider/name" */
  tetragon_str path; /* uprobes, usdts: the ELF file */
  uint64_t offset;   /* uprobes, usdts: in the file */
  uint64_t ref_ctr_offset; /* 0: none */
  uint32_t syscall;        /* number of the system call that `name` serves, bit 31: 32-bit ABI; UINT32_MAX: none */
  uint32_t reserved;
} tetragon_hook_target;

typedef struct tetragon_hook_attribute { /* scalar of a section that only the plugin knows */
  uint32_t struct_size;
  uint32_t reserved;
  tetragon_str key, value;
} tetragon_hook_attribute;

enum {
  TETRAGON_HOOK_RETURN = 1,   /* the return is hooked too */
  TETRAGON_HOOK_SYSCALL = 2,  /* all targets are system calls */
  TETRAGON_HOOK_RAW = 4,      /* tracepoints: raw */
  TETRAGON_HOOK_NO_MULTI = 8, /* an option forbids links that attach many at once */
  /* 1.2 */
  TETRAGON_HOOK_ACTIONS = 16,        /* its programs enter actions by tail calls: none of them may be sleepable */
  TETRAGON_HOOK_RETURN_ACTIONS = 64, /* likewise those at the return */
  /* An action may answer in the place of what is hooked. The plugin says with hook_deliver how, or refuses the hook
   * with the reason. */
  TETRAGON_HOOK_VERDICT = 32,
  TETRAGON_HOOK_VERDICT_ZERO = 128 /* one of the answers is 0, which fmod_ret cannot give */
};

/* One hook, compiled: what to attach to. What to read and to match is in the configuration that the host writes into
 * every object opened with hook_open. Views are valid during the call. */
typedef struct tetragon_hook_request {
  uint32_t struct_size;
  uint32_t flags; /* TETRAGON_HOOK_* */
  tetragon_str policy;
  tetragon_str section; /* "kprobes", … */
  tetragon_str backend; /* forced by an option of the policy or of the daemon; empty: the best there is */
  uint32_t target_count;
  uint32_t attribute_count;
  const tetragon_hook_target* const* targets;
  const tetragon_hook_attribute* const* attributes;
} tetragon_hook_request;

typedef struct tetragon_hook_type {
  uint32_t struct_size;
  uint32_t record_kind_count;
  uint32_t arg_type_count;
  uint32_t bpf_elf_count;
  tetragon_str policy_section; /* "kprobes", …; empty: works without a policy */
  const tetragon_record_kind* const* record_kinds;
  const tetragon_arg_type* const* arg_types;
  const tetragon_bpf_elf* const* bpf_elfs;
  /* Optional, after start: emit records for what existed before (host->emit). May block. */
  tetragon_rc (*scan)(void* instance);

  /* 1.1. Optional: the group maps (lib/groups.bpf.h) changed, every running process is looked at again. May block. */
  tetragon_rc (*refresh)(void* instance);
  /* With policy_section: opens, loads and attaches one hook. After a failure the host closes what was opened for it.
   * `hook` is valid until hook_remove returns. */
  tetragon_rc (*hook_add)(void* instance, tetragon_hook* hook, const tetragon_hook_request* request, void** ret_state);
  /* Detaching is the host's: it closes the hook's objects before this call. Must not fail. */
  void (*hook_remove)(void* instance, tetragon_hook* hook, void* state);
  /* More sections than policy_section, comma separated: "fentries". */
  tetragon_str more_sections;
  uint32_t operator_count;
  uint32_t reserved;
  const tetragon_operator* const* operators;
} tetragon_hook_type;

enum { TETRAGON_ACTION_KERNEL = 1, TETRAGON_ACTION_USER = 2 };

enum {                               /* tetragon_action_type.flags, 1.2 */
       TETRAGON_ACTION_ENFORCES = 1, /* not done in monitor mode, nor to pid 1 and the daemon */
       TETRAGON_ACTION_VERDICT = 2   /* its program may call tg_action_verdict: what is hooked answers something else */
};

typedef struct tetragon_action_call {
  uint32_t struct_size;
  uint32_t reserved;
  tetragon_process_key process;
  tetragon_str policy;
  tetragon_str argument; /* e.g. the URL of GetUrl */
  tetragon_str action;   /* 1.2: its name, for plugins with several */
} tetragon_action_call;

typedef struct tetragon_action_type {
  uint32_t struct_size;
  uint32_t where;    /* TETRAGON_ACTION_* */
  tetragon_str name; /* as policies spell it: "Sigkill" */
  uint32_t bpf_elf_count;
  uint32_t reserved;
  /* Kernel actions: program TG_ACTION of lib/action.bpf.h. One serves every hook; an ELF named "<any>.<section>"
   * ("override.uprobes") is taken for the hooks of that section instead. */
  const tetragon_bpf_elf* const* bpf_elfs;
  /* User-space actions: called from a worker thread, never from the reader; may block until its own deadline. */
  tetragon_rc (*execute)(void* instance, const tetragon_action_call* call);
  /* 1.2 */
  tetragon_str more_names; /* more words it serves, comma separated: tg_step.name counts from `name` = 0 */
  uint32_t flags;          /* TETRAGON_ACTION_* */
  uint32_t reserved2;
} tetragon_action_type;

enum { TETRAGON_SINK_JSON = 1, TETRAGON_SINK_PROTOBUF = 2 };

typedef struct tetragon_sink_type {
  uint32_t struct_size;
  uint32_t format; /* TETRAGON_SINK_*: one element = one JSON text without newline, or one GetEventsResponse */
  tetragon_str name;
  /* Called from the sink's own thread with everything that waits. May block: only this sink then loses events, and
   * `lost` says how many since the last call. A negative answer is counted; the events are not offered again. */
  tetragon_rc (*write)(void* instance, const tetragon_bytes* events, uint64_t count, uint64_t lost);
} tetragon_sink_type;

/* ---- what the host offers -------------------------------------------------------------------------------------- */

enum { TETRAGON_LOG_TRACE, TETRAGON_LOG_DEBUG, TETRAGON_LOG_INFO, TETRAGON_LOG_WARN, TETRAGON_LOG_ERROR };

typedef struct tetragon_bpf tetragon_bpf;         /* a BPF object; closed by the host when the plugin stops or fails */
typedef struct tetragon_counter tetragon_counter; /* lives as long as the daemon */

enum {                          /* tetragon_attach_opts.kind */
       TETRAGON_ATTACH_SECTION, /* as the program's section says */
       TETRAGON_ATTACH_KPROBE,  /* target: function; offset inside of it */
       TETRAGON_ATTACH_KRETPROBE,
       TETRAGON_ATTACH_KPROBE_MULTI, /* targets: functions; cookies */
       TETRAGON_ATTACH_KRETPROBE_MULTI,
       TETRAGON_ATTACH_TRACING,        /* fentry, fexit, tp_btf, LSM: target was set before load */
       TETRAGON_ATTACH_TRACEPOINT,     /* target: "subsystem/event" */
       TETRAGON_ATTACH_RAW_TRACEPOINT, /* target: tracepoint */
       TETRAGON_ATTACH_UPROBE,         /* path, offset, ref_ctr_offset */
       TETRAGON_ATTACH_URETPROBE,
       TETRAGON_ATTACH_UPROBE_MULTI, /* path, offsets, ref_ctr_offsets, cookies */
       TETRAGON_ATTACH_URETPROBE_MULTI
};

typedef struct tetragon_attach_opts {
  uint32_t struct_size;
  uint32_t kind; /* TETRAGON_ATTACH_* */
  tetragon_str target;
  tetragon_str path;
  uint64_t offset;
  uint64_t ref_ctr_offset;
  uint64_t cookie; /* bpf_get_attach_cookie of this place; not with kinds whose kernel has none */
  uint32_t count;  /* of the lists below */
  uint32_t reserved;
  const tetragon_str* targets;
  const uint64_t* offsets;
  const uint64_t* ref_ctr_offsets; /* may be NULL */
  const uint64_t* cookies;         /* may be NULL */
} tetragon_attach_opts;

typedef struct tetragon_host {
  uint32_t struct_size;
  uint32_t abi_minor;
  void* ctx; /* first argument of every function */

  void (*log)(void* ctx, uint32_t level, tetragon_str message);
  /* Text for the negative code that this thread is about to answer. Without it the host reports the text of the last
   * host function that failed on this thread. */
  void (*set_error)(void* ctx, tetragon_str message);
  uint64_t (*boot_ns)(void* ctx); /* CLOCK_BOOTTIME */

  /* Effective value of a daemon option as text. The view stays valid until destroy. */
  tetragon_rc (*config_get)(void* ctx, tetragon_str option, tetragon_str* ret_value);

  /* A counter tetragon_plugin_<plugin>_<name>_total. The same name gives the same counter. */
  tetragon_rc (*counter)(void* ctx, tetragon_str name, tetragon_counter** ret_counter);
  void (*counter_add)(void* ctx, tetragon_counter* counter, uint64_t n);

  /* Puts a record into the stream as if a BPF program had written it. `body` follows struct tg_record. Only from
   * scan, or after it. TETRAGON_E_LIMIT when the queue is full (counted as lost). */
  tetragon_rc (*emit)(void* ctx, uint16_t kind, tetragon_bytes body);

  /* Number of arguments of a raw tracepoint by the kernel's BTF: lets one program serve kernels that appended one. */
  tetragon_rc (*tracepoint_args)(void* ctx, tetragon_str tracepoint, uint32_t* ret_count);

  /* BPF objects. open -> set_* -> load -> attach. Maps whose name the host shares (tg_ring, tg_cpu, execve_map) are
   * bound to the host's; their declared key and value sizes must agree. Not from decode. */
  tetragon_rc (*bpf_open)(void* ctx, tetragon_str name, tetragon_bytes elf, tetragon_bpf** ret_bpf);
  tetragon_rc (*bpf_set_const)(void* ctx, tetragon_bpf* bpf, tetragon_str variable, tetragon_bytes value);
  tetragon_rc (*bpf_set_max_entries)(void* ctx, tetragon_bpf* bpf, tetragon_str map, uint32_t entries);
  tetragon_rc (*bpf_set_autoload)(void* ctx, tetragon_bpf* bpf, tetragon_str program, uint32_t on);
  tetragon_rc (*bpf_load)(void* ctx, tetragon_bpf* bpf);
  tetragon_rc (*bpf_attach)(void* ctx, tetragon_bpf* bpf, tetragon_str program);
  /* flags as of bpf(2) BPF_MAP_UPDATE_ELEM; TETRAGON_E_EXISTS, TETRAGON_E_NOT_FOUND, TETRAGON_E_LIMIT (map full). */
  tetragon_rc (*bpf_map_update)(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key,
                                tetragon_bytes value, uint64_t flags);
  tetragon_rc (*bpf_map_lookup)(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key, void* ret_value,
                                uint64_t value_size);
  tetragon_rc (*bpf_map_delete)(void* ctx, tetragon_bpf* bpf, tetragon_str map, tetragon_bytes key);

  /* Text of the last negative answer of a host function on this thread; empty when there was none. Valid until this
   * thread's next host call. A plugin that can go on without something says with it why it had to. */
  void (*last_error)(void* ctx, tetragon_str* ret_message);

  /* ---- 1.1 ---- */

  /* TETRAGON_OK, or TETRAGON_E_UNSUPPORTED with the reason in last_error. Names as `tetra probe` lists them, and
   * "kprobe", "fentry", "tp_btf", "ring_buffer". */
  tetragon_rc (*feature)(void* ctx, tetragon_str name);
  /* Opens an object for a hook: the host writes the hook's configuration into the constant `tg_hook`, sizes the maps of
   * its sets, leaves out the empty ones, and fills them at load. Closed with the hook. */
  tetragon_rc (*hook_open)(void* ctx, tetragon_hook* hook, tetragon_str name, tetragon_bytes elf,
                           tetragon_bpf** ret_bpf);
  /* What the policy's listing says of the hook: "backend" = "fentry: ...". Copied. */
  tetragon_rc (*hook_say)(void* ctx, tetragon_hook* hook, tetragon_str key, tetragon_str value);
  /* fentry, fexit, LSM, tp_btf: what the program is loaded for. Before load. */
  tetragon_rc (*bpf_set_attach_target)(void* ctx, tetragon_bpf* bpf, tetragon_str program, tetragon_str function);
  tetragon_rc (*bpf_attach_to)(void* ctx, tetragon_bpf* bpf, tetragon_str program, const tetragon_attach_opts* opts);
  /* Puts a loaded program of any of the plugin's objects into a program array; program_bpf NULL: empties the place. */
  tetragon_rc (*bpf_set_program)(void* ctx, tetragon_bpf* bpf, tetragon_str map, uint32_t index,
                                 tetragon_bpf* program_bpf, tetragon_str program);
  /* Runs an iterator program once over everything. */
  tetragon_rc (*bpf_iterate)(void* ctx, tetragon_bpf* bpf, tetragon_str program);
  /* Detaches and closes; the handle is gone. */
  tetragon_rc (*bpf_close)(void* ctx, tetragon_bpf* bpf);

  /* ---- 1.2 ---- */

  /* Of a hook with TETRAGON_HOOK_VERDICT, before its objects are loaded: how an answer comes into force, TG_DELIVER_*
   * of shared/action.h. With TG_DELIVER_TRAMPOLINE and TG_DELIVER_KPROBE the plugin attaches a second program that
   * takes it from the shared map tg_verdicts. */
  tetragon_rc (*hook_deliver)(void* ctx, tetragon_hook* hook, uint32_t deliver);
} tetragon_host;

/* ---- the one exported object ----------------------------------------------------------------------------------- */

enum { TETRAGON_KIND_HOOK = 1, TETRAGON_KIND_ACTION = 2, TETRAGON_KIND_SINK = 3 };

/* Constant data: the host reads it before it calls anything, to list plugins and to refuse wrong ones. */
typedef struct tetragon_plugin {
  uint32_t struct_size;
  uint32_t abi_minor;      /* TETRAGON_ABI_MINOR the plugin was built with */
  uint32_t min_host_minor; /* oldest host it works with; a host below refuses it, naming both */
  uint32_t kind;           /* TETRAGON_KIND_*; names the folder it is installed in */
  tetragon_str id;         /* "vendor.name", lower case, [a-z0-9_-] around one dot */
  tetragon_str version;
  tetragon_str summary; /* one line */

  /* May fail; nothing may be attached yet. `host` stays valid until destroy returns. */
  tetragon_rc (*create)(const tetragon_host* host, void** ret_instance);
  /* Opens, loads and attaches. After a failure the host calls stop, then destroy. */
  tetragon_rc (*start)(void* instance);
  /* Idempotent; accepts a half-started instance; must not fail. */
  void (*stop)(void* instance);
  void (*destroy)(void* instance);

  const tetragon_hook_type* hook;     /* exactly the one that `kind` names is not NULL */
  const tetragon_action_type* action; /* " */
  const tetragon_sink_type* sink;     /* " */
} tetragon_plugin;

#ifdef __cplusplus
}
#endif

#endif /* TETRAGON_ABI_H */
