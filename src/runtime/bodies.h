// The subgraphs of one node (the branches of If, the body of Loop or Scan), compiled when they first run.
#pragma once

#include <mutex>

#include "ir/subgraph.h"
#include "runtime/stage.h"

namespace pare::runtime {

class Bodies final : public ir::SubgraphEngine {
 public:
  /// `node` must keep its subgraphs alive; options and cache must outlive this.
  Bodies(const ir::Model& model, const ir::Node& node, const exec::CompileOptions& options, WeightCache& cache);

  /// Left to the interpreter: types that buffers cannot hold (strings), and bodies whose shapes change so often that
  /// planning would cost more than it saves.
  std::optional<std::vector<Tensor>> run(const ir::Graph& graph, std::span<const Tensor> inputs,
                                         const std::map<std::string, Tensor>& around) override;

 private:
  struct Body {
    std::unique_ptr<Stage> stage;
    std::vector<std::string> read;  ///< names around the body that are inputs of the stage, after the body's own
    std::vector<std::string> outputs;
    bool interpreted = false;
  };
  Body& ready(const ir::Graph& graph, std::span<const Tensor> inputs, const std::map<std::string, Tensor>& around);
  void compile(const ir::Graph& graph, std::span<const Tensor> inputs, const std::map<std::string, Tensor>& around,
               Body& body) const;

  exec::CompileOptions options_;
  WeightCache& cache_;
  std::string name_;
  ir::Model around_;                         ///< opsets and functions; no graph
  std::vector<std::string> captures_;        ///< of the node
  std::map<std::string, Tensor> constants_;  ///< those of the captures that are constant
  std::mutex mutex_;                         ///< of bodies_
  std::map<const ir::Graph*, Body> bodies_;
};

}  // namespace pare::runtime
