// pare doctor
#include "pare/doctor.h"

#include <iostream>
#include <memory>

#include "command.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

nlohmann::json to_json(const DoctorReport& report) {
  nlohmann::json libraries = nlohmann::json::array();
  for (const LibraryInfo& library : report.libraries) {
    libraries.push_back({{"name", library.name}, {"version", library.version}, {"path", library.path}});
  }
  const auto text = [](const std::string& value) { return value.empty() ? nlohmann::json() : nlohmann::json(value); };
  return {{"pare",
           {{"version", report.version},
            {"commit", report.commit},
            {"build_id", report.build_id},
            {"compiler", report.compiler}}},
          {"os", report.os},
          {"cpu",
           {{"model", report.cpu},
            {"features", report.cpu_features},
            {"cores", report.cores},
            {"l1d_bytes", report.l1d_bytes},
            {"l2_bytes", report.l2_bytes},
            {"l3_bytes", report.l3_bytes}}},
          {"isa", report.isa},
          {"forced_isa", text(report.forced_isa)},
          {"threads", report.threads},
          {"libraries", libraries},
          {"train_plugin",
           {{"found", report.train_plugin.found},
            {"path", text(report.train_plugin.path)},
            {"reason", text(report.train_plugin.reason)},
            {"searched", report.train_plugin.searched}}}};
}

void print_report(const DoctorReport& report) {
  std::cout << "pare      " << report.version << (report.commit.empty() ? "" : ", commit " + report.commit)
            << ", built by " << report.compiler << "\n";
  std::cout << "system    " << report.os << "\n";
  std::cout << "CPU       " << report.cpu << ", " << report.cores << (report.cores == 1 ? " core" : " cores")
            << ", L1d " << format_bytes(report.l1d_bytes) << ", L2 " << format_bytes(report.l2_bytes) << ", L3 "
            << format_bytes(report.l3_bytes) << "\n";
  std::cout << "features  " << joined(report.cpu_features, " ") << "\n";
  std::cout << "ISA       " << report.isa
            << (report.forced_isa.empty() ? " (PARE_FORCE_ISA lowers it)"
                                          : " (PARE_FORCE_ISA=" + report.forced_isa + ")")
            << "\n";
  std::cout << "threads   " << report.threads << "\n";
  std::cout << "training  "
            << (report.train_plugin.found ? "plug-in " + report.train_plugin.path : "no: " + report.train_plugin.reason)
            << "\n\n";
  Table table({{"library"}, {"version"}, {"file"}});
  for (const LibraryInfo& library : report.libraries) table.add({library.name, library.version, library.path});
  table.print();
}

}  // namespace

void add_doctor(CLI::App& app, Invocation& invocation) {
  auto globals = std::make_shared<Globals>();
  CLI::App* command = app.add_subcommand("doctor", "CPU features, libraries, plug-ins, threads");
  add_globals(*command, *globals);
  command->callback([globals, &invocation] {
    invocation.action = [globals] {
      const DoctorReport report = doctor();
      if (globals->json) {
        print_json(to_json(report));
      } else {
        print_report(report);
      }
      return 0;
    };
  });
}

}  // namespace pare::cli
