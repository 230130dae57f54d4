// SPDX-License-Identifier: Apache-2.0
#include "core/filter/label_selector.h"

#include <doctest/doctest.h>

#include "tests/unit/filter/views.h"

using namespace tetragon::filter;
using namespace tetragon::filter::testing;

namespace {

std::string matches(std::string_view selector) {
  static const Labels labels = {
      {"app", "web"}, {"tier", "front"}, {"weight", "5"}, {"empty", ""}, {"example.org/role", "a_b.c"}};
  ProcessView view = process("/a");
  view.label = label_of;
  view.label_context = &labels;
  const auto parsed = LabelSelector::parse(selector);
  return parsed ? (parsed->match(view) ? "yes" : "no") : "error: " + parsed.error().message();
}

}  // namespace

TEST_CASE("label selectors") {
  for (const char* selector : {"",
                               "app",
                               "!nothing",
                               "! nothing",
                               "app=web",
                               "app==web",
                               "app = web",
                               "app!=db",
                               "nothing!=x",
                               "app in (db,web)",
                               "app in(web)",
                               "app notin (db, cache)",
                               "nothing notin (x)",
                               "weight>4",
                               "weight < 6",
                               "empty=",
                               "empty in ()",
                               "app=web,tier=front",
                               " app , tier ",
                               "example.org/role=a_b.c",
                               "app=web,tier notin (back),!nothing"}) {
    CAPTURE(selector);
    CHECK(matches(selector) == "yes");
  }
  for (const char* selector :
       {"nothing", "!app", "app=db", "app=we", "app!=web", "app in (db)", "app notin (web)", "nothing in (x)",
        "weight>5", "weight<5", "app>1", "nothing<1", "app=", "app=web,tier=back"}) {
    CAPTURE(selector);
    CHECK(matches(selector) == "no");
  }
}

TEST_CASE("label selector errors name the column") {
  for (const char* selector :
       {",",       "app,", "app=web,,x", "=web",    "app=web tier", "app in web", "app in (web", "app in (a b)",
        "app=a/b", "-app", "app.",       "a/b/c",   "app>x",        "app is x",   "!",           "app=web=x",
        "Ex_am/a", "/a",   "app=-x",     "app in ("}) {
    CAPTURE(selector);
    CHECK(matches(selector).find("column ") != std::string::npos);
  }
  CHECK(matches(std::string(64, 'a')).find("is not a label key") != std::string::npos);
  CHECK(matches("app is x") ==
        "error: label selector \"app is x\", column 7: expected one of = == != in notin < > or ','");
}

TEST_CASE("a process without labels") {
  const ProcessView bare = process("/a");
  CHECK(LabelSelector::parse("!app")->match(bare));
  CHECK_FALSE(LabelSelector::parse("app")->match(bare));
}
