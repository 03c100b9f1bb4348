// What `wamrc` asks LLVM itself, beyond LLVM's interface for C.

#include "border.h"

#include <cstring>
#include <memory>
#include <string>

#include <llvm-c/Support.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>

static std::unique_ptr<llvm::MCSubtargetInfo>
subtarget(const char *triple, const char *cpu, const char *features)
{
    std::string error;
    const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);

    if (!target)
        return nullptr;
    return std::unique_ptr<llvm::MCSubtargetInfo>(target->createMCSubtargetInfo(triple, cpu, features));
}

extern "C" {

// Writes the names of all features that code for `cpu` may use, with commas between them. False: LLVM has no such target,
// or `size` is too small. LLVM itself only warns of a CPU that it does not know, and compiles for another.
bool
wamrc_cpu_features(const char *triple, const char *cpu, const char *features, char *names, uint32_t size,
                   bool *is_cpu_known)
{
    // Asked without a CPU first: LLVM prints a warning when it is given an unknown one.
    auto any = subtarget(triple, "", "");

    if (!any)
        return false;
    *is_cpu_known = any->isCPUStringValid(cpu);
    if (!*is_cpu_known)
        return true;

    auto info = subtarget(triple, cpu, features);
    std::string all;

    if (!info)
        return false;
    for (const auto &feature : info->getAllProcessorFeatures()) {
        if (info->getFeatureBits()[feature.Value]) {
            if (!all.empty())
                all += ',';
            all += feature.Key;
        }
    }
    if (all.size() + 1 > size)
        return false;
    memcpy(names, all.c_str(), all.size() + 1);
    return true;
}

bool
wamrc_is_feature_known(const char *triple, const char *name)
{
    auto info = subtarget(triple, "", "");

    if (!info)
        return false;
    for (const auto &feature : info->getAllProcessorFeatures()) {
        if (!strcmp(feature.Key, name))
            return true;
    }
    return false;
}

// For the rest of the process. WAMR asks for the pass by its class, so LLVM's command line is the only way.
void
wamrc_disable_loop_vectorizer(void)
{
    const char *arguments[] = { "wamrc", "-vectorize-loops=false" };

    LLVMParseCommandLineOptions(2, arguments, nullptr);
}

const char *
wamrc_llvm_version(void)
{
    return LLVM_VERSION_STRING;
}
}
