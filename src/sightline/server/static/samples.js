/** The pictures that come with the page, and questions worth asking about them. */

/** @typedef {{zh: string, en: string}} Both */
/** @typedef {{file: string, picture?: string, title: Both, task?: string, prompts: Record<string, Both[]>}} Sample `task` is the one that shows it best, if there is one. */

/** @type {Sample[]} */
export const SAMPLES = [
  {
    file: "shapes.png",
    title: { en: "coloured shapes", zh: "彩色图形" },
    prompts: {
      vqa: [
        { en: "How many shapes are there?", zh: "有几个图形？" },
        { en: "Is there a heart?", zh: "图中有心形吗？" },
        { en: "What colour is the star?", zh: "星形是什么颜色？" },
      ],
    },
  },
  {
    file: "chart.png",
    title: { en: "a bar chart", zh: "柱状图" },
    task: "chart_parse",
    prompts: {
      chart_parse: [
        { en: "How much higher is Mar than Jan?", zh: "Mar比Jan高多少？" },
        { en: "What is the sum of all values?", zh: "所有数值之和是多少？" },
      ],
      vqa: [
        { en: "What is the title?", zh: "图表的标题是什么？" },
        { en: "Which bar is the highest?", zh: "哪一项最高？" },
        { en: "What is the value of Mar?", zh: "Mar的数值是多少？" },
      ],
    },
  },
];
