#include "sandbox/uplink/packet_rules.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/icmp6.h>
#include <optional>
#include <span>
#include <unistd.h>

namespace lambda::sandbox::uplink {
namespace {

constexpr char kTable[] = "lambda";
// As `nft list ruleset` shows keys.
constexpr std::uint32_t kTypeAddress = 7;
constexpr std::uint32_t kTypeAddress6 = 8;
constexpr std::uint32_t kTypeMark = 19;
constexpr std::uint32_t kTypeInterface = 20;
constexpr std::uint32_t pair_of(std::uint32_t first, std::uint32_t second) {
  return (first << 6) | second;
}
// A message's attributes are less than 64 KiB.
constexpr std::size_t kElementsOfOneMessage = 500;
constexpr std::uint16_t kDnsPort = 53;
constexpr char kRefusal[] = "refusal";
constexpr char kBeginning[] = "beginning";
// Of one sandbox at once, names that it asks for included: what all share must last for all.
constexpr std::uint32_t kMostConnections = 1'000;
constexpr char kResolver[] = "198.18.0.3/32";
constexpr char kResolver6[] = "fd00::3/128";
constexpr char kMachineNetworks[][18] = {"machine_networks4", "machine_networks6"};

// --- what rules consist of

using Value = std::vector<char>;

template <class Number>
Value value_of(Number number) {
  const auto* bytes = reinterpret_cast<const char*>(&number);
  return {bytes, bytes + sizeof(number)};
}

Value operator+(Value first, const Value& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

void begin_message(NetlinkMessages& messages, int type, int flags) {
  nfgenmsg head{};
  head.nfgen_family = NFPROTO_INET;
  messages.begin(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type),
                 static_cast<std::uint16_t>(flags), head);
}

void put_edge(NetlinkMessages& messages, int type) {
  nfgenmsg head{};
  head.nfgen_family = AF_UNSPEC;
  head.res_id = htons(NFNL_SUBSYS_NFTABLES);
  messages.begin(static_cast<std::uint16_t>(type), 0, head);
}

void put_value(NetlinkMessages& messages, std::uint16_t attribute, const Value& value) {
  const auto opened = messages.open(attribute);
  messages.put(NFTA_DATA_VALUE, value.data(), value.size());
  messages.close(opened);
}

void put_verdict(NetlinkMessages& messages, std::uint16_t attribute, int verdict,
                 const std::string& chain = {}) {
  const auto data = messages.open(attribute);
  const auto inner = messages.open(NFTA_DATA_VERDICT);
  messages.put_big_endian(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(verdict));
  if (!chain.empty()) messages.put_text(NFTA_VERDICT_CHAIN, chain);
  messages.close(inner);
  messages.close(data);
}

// One rule, its expressions in order; it is in `messages` when this goes.
class Rule {
 public:
  Rule(NetlinkMessages& messages, const std::string& chain) : messages_(messages) {
    begin_message(messages_, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    messages_.put_text(NFTA_RULE_TABLE, kTable);
    messages_.put_text(NFTA_RULE_CHAIN, chain);
    expressions_ = messages_.open(NFTA_RULE_EXPRESSIONS);
  }
  ~Rule() { messages_.close(expressions_); }
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  Rule& meta(std::uint32_t key, std::uint32_t to = NFT_REG_1) {
    return expression("meta", [&] {
      messages_.put_big_endian(NFTA_META_KEY, key);
      messages_.put_big_endian(NFTA_META_DREG, to);
    });
  }
  Rule& connection(std::uint32_t key, std::uint32_t to = NFT_REG_1) {
    return expression("ct", [&] {
      messages_.put_big_endian(NFTA_CT_KEY, key);
      messages_.put_big_endian(NFTA_CT_DREG, to);
    });
  }
  Rule& set_mark_of_connection(std::uint32_t from = NFT_REG_1) {
    return expression("ct", [&] {
      messages_.put_big_endian(NFTA_CT_KEY, NFT_CT_MARK);
      messages_.put_big_endian(NFTA_CT_SREG, from);
    });
  }
  Rule& load(std::uint32_t base, std::uint32_t offset, std::uint32_t length,
             std::uint32_t to = NFT_REG_1) {
    return expression("payload", [&] {
      messages_.put_big_endian(NFTA_PAYLOAD_DREG, to);
      messages_.put_big_endian(NFTA_PAYLOAD_BASE, base);
      messages_.put_big_endian(NFTA_PAYLOAD_OFFSET, offset);
      messages_.put_big_endian(NFTA_PAYLOAD_LEN, length);
    });
  }
  Rule& source(bool v6, std::uint32_t to = NFT_REG_1) {
    return v6 ? load(NFT_PAYLOAD_NETWORK_HEADER, 8, 16, to)
              : load(NFT_PAYLOAD_NETWORK_HEADER, 12, 4, to);
  }
  Rule& destination(bool v6) {
    return v6 ? load(NFT_PAYLOAD_NETWORK_HEADER, 24, 16) : load(NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
  }
  Rule& mask(const Value& mask) {
    return expression("bitwise", [&] {
      messages_.put_big_endian(NFTA_BITWISE_SREG, NFT_REG_1);
      messages_.put_big_endian(NFTA_BITWISE_DREG, NFT_REG_1);
      messages_.put_big_endian(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
      put_value(messages_, NFTA_BITWISE_MASK, mask);
      put_value(messages_, NFTA_BITWISE_XOR, Value(mask.size(), 0));
    });
  }
  Rule& is(const Value& value, std::uint32_t comparison = NFT_CMP_EQ) {
    return expression("cmp", [&] {
      messages_.put_big_endian(NFTA_CMP_SREG, NFT_REG_1);
      messages_.put_big_endian(NFTA_CMP_OP, comparison);
      put_value(messages_, NFTA_CMP_DATA, value);
    });
  }
  Rule& is_in(const std::string& set) {
    return expression("lookup", [&] {
      messages_.put_text(NFTA_LOOKUP_SET, set);
      messages_.put_big_endian(NFTA_LOOKUP_SREG, NFT_REG_1);
    });
  }
  Rule& follow(const std::string& map) {
    return expression("lookup", [&] {
      messages_.put_text(NFTA_LOOKUP_SET, map);
      messages_.put_big_endian(NFTA_LOOKUP_SREG, NFT_REG_1);
      messages_.put_big_endian(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    });
  }
  // More than `most` connections at once that are counted here under what is loaded.
  Rule& more_than(std::uint32_t most, const std::string& set) {
    return expression("dynset", [&] {
      messages_.put_text(NFTA_DYNSET_SET_NAME, set);
      messages_.put_big_endian(NFTA_DYNSET_OP, NFT_DYNSET_OP_ADD);
      messages_.put_big_endian(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
      const auto counter = messages_.open(NFTA_DYNSET_EXPR);
      messages_.put_text(NFTA_EXPR_NAME, "connlimit");
      const auto data = messages_.open(NFTA_EXPR_DATA);
      messages_.put_big_endian(NFTA_CONNLIMIT_COUNT, most);
      messages_.put_big_endian(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
      messages_.close(data);
      messages_.close(counter);
    });
  }
  Rule& destination_in(const NetworkPrefix& network) {
    const std::size_t size = network.v6 ? 16 : 4;
    Value address(network.address.begin(), network.address.begin() + static_cast<long>(size));
    if (network.bits == 0) return *this;
    destination(network.v6);
    if (network.bits == size * 8) return is(address);
    Value bits(size, 0);
    for (std::size_t i = 0; i < network.bits; ++i)
      bits[i / 8] = static_cast<char>(static_cast<unsigned char>(bits[i / 8]) | (0x80 >> (i % 8)));
    return mask(bits).is(address);
  }
  void verdict(int code, const std::string& chain = {}) {
    expression("immediate", [&] {
      messages_.put_big_endian(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      put_verdict(messages_, NFTA_IMMEDIATE_DATA, code, chain);
    });
  }
  void refuse() { verdict(NFT_GOTO, kRefusal); }
  void reject(std::uint32_t type, std::uint8_t code) {
    expression("reject", [&] {
      messages_.put_big_endian(NFTA_REJECT_TYPE, type);
      messages_.put_number(NFTA_REJECT_ICMP_CODE, code);
    });
  }
  void masquerade() {
    expression("masq", [] {});
  }

 private:
  template <class Put>
  Rule& expression(const char* name, Put put) {
    const auto element = messages_.open(NFTA_LIST_ELEM);
    messages_.put_text(NFTA_EXPR_NAME, name);
    const auto data = messages_.open(NFTA_EXPR_DATA);
    put();
    messages_.close(data);
    messages_.close(element);
    return *this;
  }

  NetlinkMessages& messages_;
  std::size_t expressions_ = 0;
};

struct Hook {
  std::uint32_t number;
  int priority;
  const char* type;
  std::uint32_t policy;
};

void put_chain(NetlinkMessages& messages, const std::string& name,
               std::optional<Hook> hook = std::nullopt) {
  begin_message(messages, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
  messages.put_text(NFTA_CHAIN_TABLE, kTable);
  messages.put_text(NFTA_CHAIN_NAME, name);
  if (!hook) return;
  const auto opened = messages.open(NFTA_CHAIN_HOOK);
  messages.put_big_endian(NFTA_HOOK_HOOKNUM, hook->number);
  messages.put_big_endian(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(hook->priority));
  messages.close(opened);
  messages.put_big_endian(NFTA_CHAIN_POLICY, hook->policy);
  messages.put_text(NFTA_CHAIN_TYPE, hook->type);
}

// Of connections, by cable: the kernel fills it, and takes out what has none any more.
void put_counters(NetlinkMessages& messages, std::uint32_t id, const std::string& name) {
  begin_message(messages, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
  messages.put_text(NFTA_SET_TABLE, kTable);
  messages.put_text(NFTA_SET_NAME, name);
  messages.put_big_endian(NFTA_SET_FLAGS, NFT_SET_EVAL);
  messages.put_big_endian(NFTA_SET_KEY_TYPE, kTypeInterface);
  messages.put_big_endian(NFTA_SET_KEY_LEN, 4);
  messages.put_big_endian(NFTA_SET_ID, id);
  const auto description = messages.open(NFTA_SET_DESC);
  messages.put_big_endian(NFTA_SET_DESC_SIZE, kMostCables);
  messages.close(description);
}

// `id`: no other set of the batch has it.
void put_set(NetlinkMessages& messages, std::uint32_t id, const std::string& name,
             std::uint32_t type, std::uint32_t length, bool leads_to_chains = false) {
  begin_message(messages, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
  messages.put_text(NFTA_SET_TABLE, kTable);
  messages.put_text(NFTA_SET_NAME, name);
  messages.put_big_endian(NFTA_SET_FLAGS, leads_to_chains ? NFT_SET_MAP : 0);
  messages.put_big_endian(NFTA_SET_KEY_TYPE, type);
  messages.put_big_endian(NFTA_SET_KEY_LEN, length);
  messages.put_big_endian(NFTA_SET_ID, id);
  if (leads_to_chains) messages.put_big_endian(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
}

struct Element {
  Value key;
  std::string chain;  // of a map: where it leads
};

void put_elements(NetlinkMessages& messages, bool add, const std::string& set,
                  std::span<const Element> elements) {
  while (!elements.empty()) {
    const auto part = elements.first(std::min(elements.size(), kElementsOfOneMessage));
    begin_message(messages, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : 0);
    messages.put_text(NFTA_SET_ELEM_LIST_TABLE, kTable);
    messages.put_text(NFTA_SET_ELEM_LIST_SET, set);
    const auto list = messages.open(NFTA_SET_ELEM_LIST_ELEMENTS);
    for (const auto& element : part) {
      const auto one = messages.open(NFTA_LIST_ELEM);
      put_value(messages, NFTA_SET_ELEM_KEY, element.key);
      if (add && !element.chain.empty())
        put_verdict(messages, NFTA_SET_ELEM_DATA, NFT_GOTO, element.chain);
      messages.close(one);
    }
    messages.close(list);
    elements = elements.subspan(part.size());
  }
}

// All that is in it.
void put_emptying(NetlinkMessages& messages, const std::string& set) {
  begin_message(messages, NFT_MSG_DELSETELEM, 0);
  messages.put_text(NFTA_SET_ELEM_LIST_TABLE, kTable);
  messages.put_text(NFTA_SET_ELEM_LIST_SET, set);
}

void put_removal_of_rules(NetlinkMessages& messages, const std::string& chain) {
  begin_message(messages, NFT_MSG_DELRULE, 0);
  messages.put_text(NFTA_RULE_TABLE, kTable);
  messages.put_text(NFTA_RULE_CHAIN, chain);
}

// --- what this table consists of

std::string of_family(std::string_view name, bool v6) {
  return fmt::format("{}{}", name, v6 ? 6 : 4);
}

std::string chain_of(std::uint32_t policy, bool v6) {
  return policy == 0 ? of_family("internet", v6) : fmt::format("list{}_{}", policy, v6 ? 6 : 4);
}

void put_limits(NetlinkMessages& messages, bool v6) {
  const auto chain = of_family("limits", v6);
  put_chain(messages, kMachineNetworks[v6 ? 1 : 0]);
  put_chain(messages, chain);
  // First: while the machine's addresses are not known, names do not pass either.
  Rule(messages, chain).verdict(NFT_JUMP, kMachineNetworks[v6 ? 1 : 0]);
  const auto resolver = NetworkPrefix::parse(v6 ? kResolver6 : kResolver).value();
  // The user-mode network passes every port of it on to the machine's resolver.
  for (const int protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
    Rule(messages, chain)
        .destination_in(resolver)
        .meta(NFT_META_L4PROTO)
        .is(Value{static_cast<char>(protocol)})
        .load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)
        .is(value_of(htons(kDnsPort)))
        .verdict(NF_ACCEPT);
  }
  Rule(messages, chain).destination(v6).is_in(of_family("machine", v6)).refuse();
  for (const auto& [network, is] : forbidden_networks()) {
    if (network.v6 == v6) Rule(messages, chain).destination_in(network).refuse();
  }
}

void put_internet(NetlinkMessages& messages, bool v6, Limits limits) {
  const auto chain = chain_of(0, v6);
  put_chain(messages, chain);
  if (limits == Limits::none) return Rule(messages, chain).verdict(NF_ACCEPT);
  Rule(messages, chain).verdict(NFT_JUMP, kBeginning);
  Rule(messages, chain).verdict(NFT_JUMP, of_family("limits", v6));
  for (const auto& [network, is] : private_networks()) {
    if (network.v6 == v6) Rule(messages, chain).destination_in(network).refuse();
  }
  Rule(messages, chain).verdict(NF_ACCEPT);
}

void put_list(NetlinkMessages& messages, std::uint32_t policy, bool v6, const EgressRule& rule) {
  const auto chain = chain_of(policy, v6);
  put_chain(messages, chain);
  Rule(messages, chain).verdict(NFT_JUMP, kBeginning);
  Rule(messages, chain).verdict(NFT_JUMP, of_family("limits", v6));
  for (const auto& network : rule.networks) {
    if (network.v6 == v6) Rule(messages, chain).destination_in(network).verdict(NF_ACCEPT);
  }
  Rule(messages, chain).refuse();
}

// A connection is reset: an ICMP message would be lost on a socket that is just connecting.
void put_refusal(NetlinkMessages& messages) {
  put_chain(messages, kRefusal);
  Rule(messages, kRefusal)
      .meta(NFT_META_L4PROTO)
      .is(Value{static_cast<char>(IPPROTO_TCP)})
      .reject(NFT_REJECT_TCP_RST, 0);
  Rule(messages, kRefusal).reject(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

// The router itself is asked for nothing, but for its hardware address by who carries packets out.
void put_input(NetlinkMessages& messages, std::uint32_t way_out) {
  for (const int type : {ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT}) {
    Rule(messages, "input")
        .meta(NFT_META_IIF)
        .is(value_of(way_out))
        .meta(NFT_META_L4PROTO)
        .is(Value{static_cast<char>(IPPROTO_ICMPV6)})
        .load(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
        .is(Value{static_cast<char>(static_cast<unsigned char>(type))})
        .verdict(NF_ACCEPT);
  }
}

// A packet that comes here has its cable's own address; one with another's address and ports would
// be taken for that one's connection.
void put_beginning(NetlinkMessages& messages) {
  constexpr auto kNew = static_cast<std::uint32_t>(1u << IP_CT_NEW) << 1;  // bit 0: invalid
  put_chain(messages, kBeginning);
  Rule(messages, kBeginning).meta(NFT_META_IIF).set_mark_of_connection();
  Rule(messages, kBeginning)
      .connection(NFT_CT_STATE)
      .mask(value_of(kNew))
      .is(value_of(std::uint32_t{0}), NFT_CMP_NEQ)
      .meta(NFT_META_IIF)
      .more_than(kMostConnections, "counted")
      .refuse();
}

void put_forward(NetlinkMessages& messages, std::uint32_t way_out, Limits limits) {
  if (limits == Limits::none) return Rule(messages, "forward").verdict(NF_ACCEPT);
  constexpr auto kAnswers =
      static_cast<std::uint32_t>(1u << IP_CT_ESTABLISHED | 1u << IP_CT_RELATED)
      << 1;  // bit 0: invalid
  const auto out = value_of(way_out);
  const std::string chain = "forward";
  Rule(messages, chain)
      .meta(NFT_META_IIF)
      .is(out)
      .connection(NFT_CT_STATE)
      .mask(value_of(kAnswers))
      .is(value_of(std::uint32_t{0}), NFT_CMP_NEQ)
      .connection(NFT_CT_MARK, NFT_REG32_00)
      .meta(NFT_META_OIF, NFT_REG32_01)
      .is_in("connections")
      .verdict(NF_ACCEPT);
  Rule(messages, chain).meta(NFT_META_IIF).is(out).verdict(NF_DROP);
  Rule(messages, chain).meta(NFT_META_OIF).is(out, NFT_CMP_NEQ).refuse();
  for (const bool v6 : {false, true}) {
    Rule(messages, chain)
        .meta(NFT_META_NFPROTO)
        .is(Value{static_cast<char>(v6 ? NFPROTO_IPV6 : NFPROTO_IPV4)})
        .meta(NFT_META_IIF, NFT_REG32_00)
        .source(v6, NFT_REG32_01)
        .follow(of_family("policies", v6));
  }
}

NetlinkMessages whole_table(std::uint32_t way_out, Limits limits) {
  NetlinkMessages messages;
  put_edge(messages, NFNL_MSG_BATCH_BEGIN);
  begin_message(messages, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  messages.put_text(NFTA_TABLE_NAME, kTable);
  put_set(messages, 1, "policies4", pair_of(kTypeInterface, kTypeAddress), 8, true);
  put_set(messages, 2, "policies6", pair_of(kTypeInterface, kTypeAddress6), 20, true);
  put_set(messages, 3, "connections", pair_of(kTypeMark, kTypeInterface), 8);
  put_set(messages, 4, "machine4", kTypeAddress, 4);
  put_set(messages, 5, "machine6", kTypeAddress6, 16);
  put_chain(messages, "input", Hook{NF_INET_LOCAL_IN, 0, "filter", NF_DROP});
  put_chain(messages, "forward", Hook{NF_INET_FORWARD, 0, "filter", NF_DROP});
  put_chain(messages, "way_out", Hook{NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, "nat", NF_ACCEPT});
  put_counters(messages, 6, "counted");
  put_refusal(messages);
  put_beginning(messages);
  put_input(messages, way_out);
  for (const bool v6 : {false, true}) {
    put_limits(messages, v6);
    put_internet(messages, v6, limits);
    Rule(messages, kMachineNetworks[v6 ? 1 : 0]).verdict(NF_DROP);
  }
  put_forward(messages, way_out, limits);
  Rule(messages, "way_out").meta(NFT_META_OIF).is(value_of(way_out)).masquerade();
  return messages;
}

struct ElementsOfCable {
  std::vector<Element> policy4, policy6, connection;
};

ElementsOfCable elements_of(const Cable& cable, std::uint32_t policy) {
  const auto interface = value_of(cable.interface);
  return {{{interface + value_of(address_of(cable)), chain_of(policy, false)}},
          {{interface + value_of(address6_of(cable)), chain_of(policy, true)}},
          {{interface + interface, {}}}};
}

void put_cable(NetlinkMessages& messages, bool add, const ElementsOfCable& elements) {
  put_elements(messages, add, "policies4", elements.policy4);
  put_elements(messages, add, "policies6", elements.policy6);
  put_elements(messages, add, "connections", elements.connection);
}

// A question for a name that was answered counts as a connection for so many seconds; 30 where the
// kernel does not take them.
void shorten_datagrams() {
  const UniqueFd setting(
      ::open("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", O_WRONLY | O_CLOEXEC));
  if (setting) [[maybe_unused]]
    const auto written = ::write(setting.get(), "10", 2);
}

}  // namespace

Result<PacketRules> PacketRules::make(std::uint32_t way_out, Limits limits) {
  PacketRules rules;
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return fail(std::move(socket.error()));
  rules.socket_ = std::move(*socket);
  if (auto made = rules.commit(whole_table(way_out, limits)); !made)
    return fail(std::move(made.error()), "make packet rules (nftables, with connection tracking)");
  shorten_datagrams();  // of this network namespace, once the kernel tracks connections
  return rules;
}

// `messages` begins a batch.
Result<Done> PacketRules::commit(const NetlinkMessages& messages) {
  NetlinkMessages batch = messages;
  // What is the same before and after, so that a batch without a mistake is acknowledged, too.
  begin_message(batch, NFT_MSG_NEWTABLE, NLM_F_ACK);
  batch.put_text(NFTA_TABLE_NAME, kTable);
  put_edge(batch, NFNL_MSG_BATCH_END);
  return socket_.carry_out(batch);
}

Result<Done> PacketRules::grant(const Cable& cable, const EgressRule& rule) {
  if (!rule.out) return revoke(cable);
  if (rules_.contains(cable.interface))
    return fail(ErrorCode::conflict, "the sandbox has a policy already");
  const auto text = to_string(rule);
  const auto [entry, is_new] = policies_.try_emplace(text);
  auto& policy = entry->second;
  NetlinkMessages batch;
  put_edge(batch, NFNL_MSG_BATCH_BEGIN);
  if (is_new && !rule.networks.empty()) {
    policy.number = ++last_policy_;
    for (const bool v6 : {false, true}) put_list(batch, policy.number, v6, rule);
  }
  put_cable(batch, true, elements_of(cable, policy.number));
  if (auto done = commit(batch); !done) {
    if (is_new) policies_.erase(entry);
    return fail(std::move(done.error()), "let the sandbox out");
  }
  ++policy.users;
  rules_.emplace(cable.interface, text);
  return Done{};
}

Result<Done> PacketRules::revoke(const Cable& cable) {
  const auto rule = rules_.find(cable.interface);
  if (rule == rules_.end()) return Done{};
  const auto policy = policies_.find(rule->second);
  const bool last = policy->second.users == 1;
  NetlinkMessages batch;
  put_edge(batch, NFNL_MSG_BATCH_BEGIN);
  put_cable(batch, false, elements_of(cable, policy->second.number));
  if (last && policy->second.number != 0) {
    for (const bool v6 : {false, true}) {
      begin_message(batch, NFT_MSG_DELCHAIN, 0);
      batch.put_text(NFTA_CHAIN_TABLE, kTable);
      batch.put_text(NFTA_CHAIN_NAME, chain_of(policy->second.number, v6));
    }
  }
  if (auto done = commit(batch); !done) return fail(std::move(done.error()), "close a way out");
  --policy->second.users;
  if (last) policies_.erase(policy);
  rules_.erase(rule);
  return Done{};
}

Result<Done> PacketRules::set_machine_addresses(const std::vector<NetworkPrefix>& addresses) {
  NetlinkMessages batch;
  put_edge(batch, NFNL_MSG_BATCH_BEGIN);
  for (const bool v6 : {false, true}) {
    const auto set = of_family("machine", v6);
    const std::string networks = kMachineNetworks[v6 ? 1 : 0];
    put_emptying(batch, set);
    put_removal_of_rules(batch, networks);
    std::vector<Element> elements;
    for (const auto& one : addresses) {
      if (one.v6 != v6) {
        // What a translator on the way would make of an IPv4 address.
        if (!v6) continue;
        NetworkPrefix translated;
        translated.v6 = true;
        translated.bits = static_cast<std::uint8_t>(96 + one.bits);
        translated.address = {0x00, 0x64, 0xff, 0x9b};
        std::copy_n(one.address.begin(), 4, translated.address.begin() + 12);
        if (translated.bits < 128) {
          Rule(batch, networks).destination_in(translated).refuse();
        } else {
          elements.push_back({Value(translated.address.begin(), translated.address.end()), {}});
        }
        continue;
      }
      const std::size_t size = v6 ? 16 : 4;
      if (one.bits < size * 8) {
        Rule(batch, networks).destination_in(one).refuse();
      } else {
        elements.push_back(
            {Value(one.address.begin(), one.address.begin() + static_cast<long>(size)), {}});
      }
    }
    std::ranges::sort(elements, {}, &Element::key);
    const auto same = std::ranges::unique(elements, {}, &Element::key);
    elements.erase(same.begin(), same.end());
    put_elements(batch, true, set, elements);
  }
  return commit(batch);
}

Result<Done> PacketRules::close() {
  NetlinkMessages batch;
  put_edge(batch, NFNL_MSG_BATCH_BEGIN);
  for (const char* networks : kMachineNetworks) {
    put_removal_of_rules(batch, networks);
    Rule(batch, networks).verdict(NF_DROP);
  }
  return commit(batch);
}

}  // namespace lambda::sandbox::uplink
